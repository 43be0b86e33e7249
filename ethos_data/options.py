"""Command-line flags from dataclasses. All commands define their flags in this way.

Each field of a frozen dataclass is one flag. The field's metadata holds the help text
and the limits, so the dataclass is the only place that describes a setting:

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Options:
        \"\"\"What to convert. Each field is a flag; its help text documents it.\"\"\"

        corpus_dir: str = options.required("Directory with the corpus")
        seed: int = options.option(0, "Random seed", minimum=0)

    parser = options.make_parser("ethos-example", __doc__)
    options.add_flags(parser, Options)
    chosen = options.from_flags(Options, parser.parse_args(argv))

Supported field types are str, int, float, bool, `X | None`, and tuples of str, int or
float. A bool becomes `--name` and `--no-name`. A tuple takes several values. A text of
the form `file:///...` is converted to a path.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from ethos_data.errors import EthosError, reason_of
from ethos_data.storage import files

T = TypeVar("T")

_KEY: Final = "option"


@dataclasses.dataclass(frozen=True)
class Option:
    """Description of a flag, stored in the metadata of a field.

    Attributes:
      help: What the setting does, as a phrase without a full stop.
      group: Title of the group under which `--help` lists the flag; "" for none.
      choices: Allowed values; () allows any.
      minimum: Smallest allowed number; None for no limit.
      maximum: Largest allowed number; None for no limit.
      above: Number that the value must exceed; None for no limit.
      below: Number that the value must stay under; None for no limit.
      parse: Function from the flag's text to the value; None uses the field's type.
      metavar: Placeholder of the value in `--help`.
      default_text: Default in `--help`, as it is typed; "" formats the default itself.
      positional: Whether the value is given without a flag.
      flag: Whether the command line offers the setting. A setting without a flag can
        only be given in a configuration file or in Python.
      resumable: Whether the setting may change when a run is resumed.
      local: Whether the value is a path that must be on this machine. `~` is replaced
        by the home directory.
    """

    help: str
    group: str = ""
    choices: Sequence[Any] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    parse: Callable[[str], Any] | None = None
    metavar: str | None = None
    default_text: str = ""
    positional: bool = False
    flag: bool = True
    resumable: bool = False
    local: bool = False


def option(default: Any, help: str, **details: Any) -> Any:
    """Returns a dataclass field with a default that is also a flag.

    Args:
      default: Value of the field when the flag is not given.
      help: What the setting does, as a phrase without a full stop.
      **details: Further attributes of `Option`.
    """
    return dataclasses.field(
        default=default, metadata={_KEY: Option(help=help, **details)}
    )


def required(help: str, **details: Any) -> Any:
    """Returns a dataclass field without a default. Its flag must be given.

    Args:
      help: What the setting does, as a phrase without a full stop.
      **details: Further attributes of `Option`.
    """
    return dataclasses.field(metadata={_KEY: Option(help=help, **details)})


def describe(cls: type) -> dict[str, tuple[dataclasses.Field, Option, Any]]:
    """Returns the fields of a dataclass that are options, in order.

    Args:
      cls: A dataclass.

    Returns:
      For each field name: the field, its `Option`, and its type.
    """
    hints = typing.get_type_hints(cls)
    return {
        field.name: (field, field.metadata[_KEY], hints[field.name])
        for field in dataclasses.fields(cls)
        if _KEY in field.metadata
    }


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of the description and puts help texts in one column."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)


class _Parser(argparse.ArgumentParser):
    """Reports an error in a few lines. argparse prints all flags before it."""

    def error(self, message: str) -> typing.NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = f"unknown arguments: {unknown}{self._advice(unknown.split())}"
        self.exit(2, f"error: {message}\n{self.prog} --help lists all flags\n")

    def _advice(self, arguments: Sequence[str]) -> str:
        """Names the flags that are similar to the unknown ones; "" without such."""
        known = self._option_string_actions
        names = [text.split("=")[0] for text in arguments if text.startswith("-")]
        similar = [difflib.get_close_matches(name, known, n=1) for name in names]
        flags = [flag for flags in similar for flag in flags]
        return f" (did you mean {', '.join(flags)}?)" if flags else ""


def make_parser(
    prog: str, description: str | None, epilog: str | None = None
) -> argparse.ArgumentParser:
    """Returns an argument parser with the settings of all ETHOS commands.

    Args:
      prog: Name of the command.
      description: Text above the flags, usually the module's docstring. Its line breaks
        are kept.
      epilog: Text below the flags.
    """
    return _Parser(
        prog=prog,
        description=(description or "").strip(),
        epilog=epilog,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )


def add_flags(
    parser: argparse.ArgumentParser,
    cls: type,
    *,
    groups: Mapping[str, str] | None = None,
) -> None:
    """Adds one flag for each option of a dataclass.

    Flags that are not given leave no trace in the parsed namespace, so that a
    configuration file is overridden only by flags that were given.

    Args:
      parser: The parser to extend.
      cls: A dataclass with fields of `option` and `required`.
      groups: Description of each group title. The groups appear in this order.
    """
    sections: dict[str, Any] = {"": parser}
    for title, text in (groups or {}).items():
        sections[title] = parser.add_argument_group(title, text or None)
    for name, (field, details, hint) in describe(cls).items():
        if not details.flag:
            continue
        if details.group not in sections:
            sections[details.group] = parser.add_argument_group(details.group)
        _add_flag(sections[details.group], name, field, details, hint)


def _add_flag(
    section: Any, name: str, field: dataclasses.Field, details: Option, hint: Any
) -> None:
    kind, many = _value_type(hint)
    kwargs: dict[str, Any] = {
        "help": _help_text(field, details).replace("%", "%%"),
        "default": argparse.SUPPRESS,
    }
    if kind is bool:
        kwargs["action"] = argparse.BooleanOptionalAction
    else:
        kwargs["type"] = details.parse or kind
        if details.choices:
            kwargs["choices"] = list(details.choices)
        if details.metavar or not details.choices:
            kwargs["metavar"] = details.metavar or _metavar(kind)
    is_required = field.default is dataclasses.MISSING
    if many and details.parse is None:
        kwargs["nargs"] = "+" if is_required else "*"
    if details.positional:
        if not is_required and "nargs" not in kwargs:
            kwargs["nargs"] = "?"
        section.add_argument(name, **kwargs)
    else:
        section.add_argument(f"--{name}", required=is_required, **kwargs)


def _metavar(kind: type) -> str:
    return {int: "N", float: "X"}.get(kind, "TEXT")


def _help_text(field: dataclasses.Field, details: Option) -> str:
    default = field.default
    if details.default_text:
        shown = details.default_text
    elif default is dataclasses.MISSING or default is None or default in ("", ()):
        return details.help
    elif default is True or default is False:
        shown = "on" if default else "off"
    elif isinstance(default, tuple):
        shown = " ".join(map(str, default))
    else:
        shown = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{details.help} (default: {shown})"


def _value_type(hint: Any) -> tuple[type, bool]:
    """Returns the type of a value, and whether the field is a tuple of such values."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (h for h in typing.get_args(hint) if h is not type(None))
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        return (inner if isinstance(inner, type) else str), True
    return hint, False


def from_flags(
    cls: type[T], namespace: argparse.Namespace, config: str | None = None
) -> T:
    """Returns the dataclass with the values of the parsed flags, and checks them.

    Args:
      cls: The dataclass that `add_flags` was called with.
      namespace: Result of the parser. Entries that are not fields of `cls` are ignored.
      config: Path of a JSON configuration whose values replace the defaults.

    Raises:
      EthosError: A value is outside its limits, or the configuration is invalid.
    """
    values = load_json(cls, config) if config else {}
    for name, (_, _, hint) in describe(cls).items():
        if hasattr(namespace, name):
            value = getattr(namespace, name)
            many = _value_type(hint)[1]
            values[name] = tuple(value) if many and value is not None else value
    fields = describe(cls)
    result = cls(
        **{
            name: _resolved(value, name in fields and fields[name][1].local)
            for name, value in values.items()
        }
    )
    check(result)
    return result


def _resolved(value: Any, local: bool) -> Any:
    """Converts `file:///...` to a path, so that every command accepts such URIs."""
    if isinstance(value, tuple):
        return tuple(_resolved(item, local) for item in value)
    if isinstance(value, str) and local:
        return files.local_path(value)
    if isinstance(value, str) and value.lower().startswith("file://"):
        return files.resolve(value)
    return value


def check(options: Any) -> None:
    """Checks every value of a dataclass of options against its limits.

    Raises:
      EthosError: A value is outside its limits.
    """
    for name, (_, details, _) in describe(type(options)).items():
        value = getattr(options, name)
        if value is None:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            _check_value(name, details, item)


def _check_value(name: str, details: Option, value: Any) -> None:
    def fail(limit: str) -> None:
        raise EthosError(f"--{name} must be {limit}. Received: {value!r}")

    if details.choices and value not in details.choices:
        fail(f"one of {', '.join(map(str, details.choices))}")
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        fail("finite")
    if details.minimum is not None and value < details.minimum:
        fail(f"at least {details.minimum:g}")
    if details.maximum is not None and value > details.maximum:
        fail(f"at most {details.maximum:g}")
    if details.above is not None and value <= details.above:
        fail(f"greater than {details.above:g}")
    if details.below is not None and value >= details.below:
        fail(f"less than {details.below:g}")


def to_json(options: Any) -> str:
    """Returns a dataclass of options as JSON text that `load_json` reads."""
    return json.dumps(dataclasses.asdict(options), indent=2) + "\n"


def load_json(cls: type, path: str) -> dict[str, Any]:
    """Reads a configuration file.

    Args:
      cls: The dataclass of options that the file describes.
      path: A JSON file with an object whose keys are fields of `cls`.

    Returns:
      The values by field name, with the types of the fields.

    Raises:
      EthosError: The file is missing, or an entry is unknown or has the wrong type.
    """
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (OSError, ValueError) as error:
        reason = reason_of(error)
        raise EthosError(f"{path}: not a readable configuration: {reason}") from None
    if not isinstance(values, dict):
        raise EthosError(f"{path}: not a JSON object")
    fields = describe(cls)
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise EthosError(f"{path}: unknown settings: {', '.join(unknown)}")
    return {
        name: _converted(path, name, value, fields[name][2])
        for name, value in values.items()
    }


def _converted(path: str, name: str, value: Any, hint: Any) -> Any:
    """Returns a JSON value with the type of its field."""
    kind, many = _value_type(hint)
    if value is None and type(None) in typing.get_args(hint):
        return None
    if many and isinstance(value, list):
        return tuple(value)
    # A whole number is a valid float. True is not a valid number.
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)  # type: ignore[arg-type]
    raise EthosError(
        f"{path}: {name} must be of type {kind.__name__}. Received: {value!r}"
    )
