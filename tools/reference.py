"""Writes the generated pages of the documentation.

    python -m tools.reference           # write them
    python -m tools.reference --check   # fail if they are not up to date

`docs/reference/commands.md` comes from the argument parsers of the commands, the list
of modules in `docs/architecture.md` from the first lines of their docstrings, and the
columns in `docs/reference/tables.md` and the messages in `docs/reference/osc.md` from
the code that writes them.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import pathlib
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from ethos_data.commands import COMMANDS
from ethos_model.footage import osc
from ethos_model.footage.tables.columns import COLUMNS, LANDMARK_COLUMNS

ROOT: Final = pathlib.Path(__file__).parent.parent
PACKAGES: Final = ("ethos_data", "ethos_model", "pipelines", "gui")
BEGIN: Final = "<!-- begin generated: python -m tools.reference -->"
END: Final = "<!-- end generated -->"


def commands() -> str:
    """The command reference as Markdown: one section and one table per command."""
    lines = [
        "# Commands",
        "",
        "This page is generated from the commands' own `--help` (`python -m "
        "tools.reference`).",
    ]
    for name, (module, packages) in COMMANDS.items():
        parser = importlib.import_module(module).parser()
        lines += ["", f"## {name}", ""]
        if packages:
            lines += ["Needs `pip install 'ethos-faces[train]'`.", ""]
        lines += _description(parser.description or "")
        positionals, optionals, *groups = parser._action_groups
        lines += _table([*positionals._group_actions, *optionals._group_actions])
        for group in groups:
            title = (group.title or "")[:1].upper() + (group.title or "")[1:]
            lines += _table(
                group._group_actions, f"**{title}.** {group.description or ''}"
            )
        if parser.epilog:
            lines += ["", parser.epilog.strip()]
    return "\n".join(lines) + "\n"


def _description(text: str) -> list[str]:
    """A parser's description as Markdown. Paragraphs of commands become code blocks."""
    paragraphs = text.strip().split("\n\n")
    lines = []
    for paragraph in paragraphs:
        is_code = all(line.startswith("ethos-") for line in paragraph.splitlines())
        lines += [textwrap.indent(paragraph, "    " * is_code), ""]
    return "\n".join(lines[:-1]).splitlines()


def _table(actions: Sequence[argparse.Action], heading: str = "") -> Iterator[str]:
    actions = [
        action
        for action in actions
        if not isinstance(action, argparse._HelpAction)
        and action.help != argparse.SUPPRESS
    ]
    if not actions:
        return
    yield ""
    if heading:
        yield heading.strip()
        yield ""
    yield "| flag | meaning |"
    yield "| --- | --- |"
    for action in actions:
        text = _escaped((action.help or "").replace("%%", "%"))
        yield f"| {_flag(action)} | {text} |"


def _flag(action: argparse.Action) -> str:
    names = action.option_strings or [action.metavar or action.dest]
    value = ""
    if action.option_strings and action.nargs != 0:
        if action.choices:
            value = " {" + ",".join(map(str, action.choices)) + "}"
        else:
            value = f" {action.metavar or action.dest.upper()}"
    text = ", ".join(map(str, names)) + value
    return f"`{_escaped(text)}`"


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def modules() -> str:
    """Every module with the first line of its docstring, by directory."""
    lines = []
    for package in PACKAGES:
        for folder in sorted({p.parent for p in (ROOT / package).rglob("*.py")}):
            lines += _directory(folder)
    return "\n".join(lines)


def _directory(folder: pathlib.Path) -> Iterator[str]:
    name = folder.relative_to(ROOT).as_posix()
    yield ""
    yield f"### `{name}/`"
    yield ""
    yield _summary(folder / "__init__.py")
    yield ""
    yield "| module | purpose |"
    yield "| --- | --- |"
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"| `{path.name}` | {_escaped(_summary(path))} |"


def _summary(path: pathlib.Path) -> str:
    """The first sentence or line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def columns() -> str:
    """The columns of the tables as Markdown."""
    lines = ["| column | unit | meaning |", "| --- | --- | --- |"]
    for column in COLUMNS:
        meaning = _escaped(column.meaning)
        lines.append(f"| `{column.name}` | {column.unit} | {meaning} |")
    for column in LANDMARK_COLUMNS:
        name, meaning = column.name, _escaped(column.meaning)
        lines.append(f"| `{name}0` ... `{name}67` | {column.unit} | {meaning} |")
    return "\n".join(lines)


def osc_messages() -> str:
    """The messages of an OSC bundle as Markdown."""
    lines = ["| address | arguments |", "| --- | --- |"]
    lines.append(f"| `{osc.FRAME_ADDRESS}` | {osc.FRAME_ARGUMENTS} |")
    for message in osc.MESSAGES:
        address = f"{osc.FACE_ADDRESS.format(id='ID')}/{message.name}"
        lines.append(f"| `{address}` | {_escaped(message.arguments)} |")
    return "\n".join(lines)


def pages() -> dict[pathlib.Path, str]:
    """The generated content by file."""
    docs = ROOT / "docs"
    return {
        docs / "reference" / "commands.md": commands(),
        docs / "architecture.md": _filled(docs / "architecture.md", modules()),
        docs / "reference" / "tables.md": _filled(
            docs / "reference" / "tables.md", f"\n{columns()}"
        ),
        docs / "reference" / "osc.md": _filled(
            docs / "reference" / "osc.md", f"\n{osc_messages()}"
        ),
    }


def _filled(path: pathlib.Path, generated: str) -> str:
    """The content of a file with a new part between `BEGIN` and `END`."""
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{generated}\n\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(argv).check
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not check:
            path.write_text(pages()[path], encoding="utf-8")
        state = "is not up to date" if check else "written"
        print(f"{path.relative_to(ROOT)} {state}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
