"""The import rules of the project, checked on the source code.

Imports point one way (`gui -> ethos_model -> ethos_data`, `pipelines -> ethos_data`),
no modules import each other in a circle, and heavy libraries stay out of the modules
that have to work without them.
"""

from __future__ import annotations

import ast
import graphlib
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parent.parent

ALLOWED = {
    "ethos_data": set(),
    "ethos_model": {"ethos_data"},
    "pipelines": {"ethos_data"},
    "gui": {"ethos_model", "ethos_data"},
}

# The demo runs the whole workflow, and a refinement converts, trains and reads video as
# the viewer does, so these modules may import every package.
EXEMPT = {
    "pipelines.demo",
    "pipelines.showcase",
    "pipelines.refine",
    "pipelines.refinement.footage",
}

HEAVY = {"tensorflow", "keras", "tensorflow_datasets", "apache_beam"}

# Packages and modules that must work in an installation without HEAVY.
LIGHT = (
    "gui",
    "ethos_model.footage",
    "ethos_model.predict",
    "ethos_model.metrics",
    "ethos_data.storage",
    "ethos_data.corpora",
    "ethos_data.heads",
    "ethos_data.depth",
)


def module_name(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, pathlib.Path]:
    return {
        module_name(path): path
        for package in ALLOWED
        for path in sorted((ROOT / package).rglob("*.py"))
    }


MODULES = modules()


def imports(path: pathlib.Path, *, top_level_only: bool) -> Iterator[str]:
    """Full names that a module imports.

    Args:
      path: the module's file.
      top_level_only: skip imports inside functions and `if TYPE_CHECKING:`.
    """
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else str(node.module)
        inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(
            node.test
        )
        if not (top_level_only and (inner or typing_only)):
            pending.extend(ast.iter_child_nodes(node))


def packages(names: Iterator[str]) -> set[str]:
    return {name.split(".", 1)[0] for name in names}


def test_imports_point_one_way():
    wrong = []
    for name in sorted(set(MODULES) - EXEMPT):
        package = name.split(".", 1)[0]
        imported = packages(imports(MODULES[name], top_level_only=False))
        forbidden = imported & set(ALLOWED) - {package} - ALLOWED[package]
        wrong += [f"{name} imports {other}" for other in sorted(forbidden)]
    assert not wrong


def test_no_import_cycle():
    graph = {
        name: {i for i in imports(path, top_level_only=True) if i in MODULES} - {name}
        for name, path in MODULES.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_light_modules_do_not_need_tensorflow_or_beam():
    wrong = {
        name: heavy
        for name in MODULES
        if name.startswith(LIGHT)
        and (heavy := packages(imports(MODULES[name], top_level_only=True)) & HEAVY)
    }
    assert not wrong


def test_a_directory_holds_few_modules():
    counts: dict[pathlib.Path, int] = {}
    for path in MODULES.values():
        counts[path.parent] = counts.get(path.parent, 0) + (path.name != "__init__.py")
    crowded = {str(p.relative_to(ROOT)): n for p, n in counts.items() if n > 18}
    assert not crowded
