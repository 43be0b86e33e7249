"""A hook of mkdocs: pages of the site that are stored elsewhere in the repository.

mkdocs reads Markdown below `docs/` only. The model card, the results and the changelog
are stored where GitHub and the package show them, so this hook adds them to the site.
"""

from __future__ import annotations

import pathlib
import posixpath
import re
from typing import Any, Final

from mkdocs.structure.files import File

ROOT: Final = pathlib.Path(__file__).parent.parent

PAGES: Final = {
    "changelog.md": "CHANGELOG.md",
    "fusion_model_card.md": "ethos_model/footage/fusion/model/README.md",
    "model_card.md": "ethos_model/pretrained/README.md",
    "results.md": "benchmarks/RESULTS.md",
}
"""Path in the site, and file in the repository."""

_LINK: Final = re.compile(r"(\[[^\]]*\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages. Called by mkdocs."""
    for target, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=_relinked(text, source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Adapts the links of a page below `docs/` to these files. Called by mkdocs."""
    here = posixpath.dirname(page.file.src_uri)
    sites = {source: target for target, source in PAGES.items()}

    def replace(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", here, match[2]))
        if path not in sites:
            return match[0]
        target = posixpath.relpath(sites[path], here or ".")
        return f"{match[1]}{target}{match[3]}"

    return _LINK.sub(replace, markdown)


def _relinked(text: str, source: str) -> str:
    """The text with links that work from the top directory of the site.

    A link to a file below `docs/` or to another page of the site is adapted. A link to
    any other file of the repository becomes plain text, because the site lacks it.
    """
    sites = {path: page for page, path in PAGES.items()}

    def replace(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        if path in sites:
            return f"{match[1]}{sites[path]}{match[3]}"
        if path.startswith("docs/"):
            return f"{match[1]}{path.removeprefix('docs/')}{match[3]}"
        return match[1][1:-2]

    return _LINK.sub(replace, text)
