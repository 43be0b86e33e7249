"""The documentation agrees with the code, and its links lead somewhere."""

import pathlib
import re

import pytest

from tools import reference
from tools.pages import PAGES as SITE

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)


def test_generated_pages_are_up_to_date():
    stale = [
        path.name
        for path, text in reference.pages().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run: python -m tools.reference"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        if page.is_relative_to(ROOT / "docs") and pathlib.Path(target).name in SITE:
            continue  # a page that tools/pages.py adds to the site
        assert (page.parent / target).exists(), target


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_every_dependency_is_explained():
    config = (ROOT / "setup.cfg").read_text()
    block = config.split("install_requires =")[1].split("test =")[0]
    names = re.findall(r"^    ([A-Za-z][\w-]*)", block, re.MULTILINE)
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    assert len(names) > 15
    assert [n for n in names if n not in explained and n != "ethos-faces"] == []
