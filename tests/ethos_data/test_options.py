"""Flags, configuration files and limits follow the dataclass."""

import dataclasses
import json

import pytest

from ethos_data import options
from ethos_data.errors import EthosError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    source: str = options.required("Directory to read")
    count: int = options.option(3, "Number of files", minimum=1)
    share: float = options.option(
        0.5, "Share of the files", above=0, below=1, group="data"
    )
    limit: int | None = options.option(None, "Maximum number of frames")
    names: tuple[str, ...] = options.option(("a", "b"), "Names")
    mode: str = options.option("fast", "Search", choices=("fast", "thorough"))
    sizes: tuple[int, ...] = options.option(
        (1, 2),
        "Sizes",
        parse=lambda text: tuple(map(int, text.split(","))),
        default_text="1,2",
    )
    loud: bool = options.option(False, "Print more")
    hidden: float = options.option(1.0, "Not on the command line", flag=False)
    output: str | None = options.option(None, "Directory to write", local=True)


def parse(*argv, config=None):
    parser = options.make_parser("example", "An example.")
    options.add_flags(parser, Example, groups={"data": "What to read."})
    return options.from_flags(Example, parser.parse_args(argv), config)


def test_flags_that_are_not_given_have_their_defaults():
    assert parse("--source", "x") == Example(source="x")


def test_parses_all_types():
    chosen = parse(
        *("--source", "x", "--count", "7", "--share", "0.25", "--limit", "9"),
        *("--names", "c", "--mode", "thorough", "--loud"),
    )
    assert chosen == Example(
        source="x",
        count=7,
        share=0.25,
        limit=9,
        names=("c",),
        mode="thorough",
        loud=True,
    )
    assert parse("--source", "x", "--names").names == ()
    assert parse("--source", "x", "--sizes", "7,8,9").sizes == (7, 8, 9)
    assert parse("--source", "x", "--no-loud").loud is False


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--count", "0"), "--count must be at least 1. Received: 0"),
        (("--share", "1"), "--share must be less than 1. Received: 1.0"),
        (("--share", "0"), "--share must be greater than 0. Received: 0.0"),
        (("--share", "nan"), "--share must be finite. Received: nan"),
    ],
)
def test_rejects_values_outside_the_limits(flags, text):
    with pytest.raises(EthosError) as error:
        parse("--source", "x", *flags)
    assert str(error.value) == text


def test_rejects_unknown_choices_flags_and_abbreviations(capsys):
    for flags in (("--mode", "slow"), ("--hidden", "2"), ("--coun", "2")):
        with pytest.raises(SystemExit):
            parse("--source", "x", *flags)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        parse()
    assert capsys.readouterr().err.splitlines() == [
        "error: the following arguments are required: --source",
        "example --help lists all flags",
    ]


def test_names_a_flag_that_is_similar_to_an_unknown_one(capsys):
    with pytest.raises(SystemExit) as exited:
        parse("--source", "x", "--cuont=3", "--zzz", "more")
    assert exited.value.code == 2
    assert capsys.readouterr().err.startswith(
        "error: unknown arguments: --cuont=3 --zzz more (did you mean --count?)\n"
    )


def test_flags_override_the_configuration(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"count": 5, "names": ["z"], "hidden": 2, "limit": 4}))
    chosen = parse("--source", "x", "--count", "6", config=str(path))
    assert (chosen.count, chosen.names, chosen.hidden, chosen.limit) == (
        6,
        ("z",),
        2.0,
        4,
    )


def test_reads_the_configuration_that_it_wrote(tmp_path):
    path = tmp_path / "run.json"
    example = Example(source="x", names=("q",), limit=2)
    path.write_text(options.to_json(example))
    assert Example(**options.load_json(Example, str(path))) == example


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[]", "not a JSON object"),
        ("{", "not a readable configuration"),
        ('{"cuont": 1}', "unknown settings: cuont"),
        ('{"count": true}', "count must be of type int. Received: True"),
        ('{"count": 1.5}', "count must be of type int. Received: 1.5"),
    ],
)
def test_rejects_invalid_configurations(tmp_path, content, text):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(EthosError) as error:
        parse("--source", "x", config=str(path))
    assert str(error.value).startswith(str(path))
    assert text in str(error.value)


def test_the_help_shows_groups_and_defaults(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    assert "Number of files (default: 3)" in text
    assert "What to read." in text
    assert "(default: off)" in text
    assert "Sizes (default: 1,2)" in text
    assert "hidden" not in text


def test_converts_file_uris_to_paths(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"names": ["FILE:///data/%C3%A4"]}))
    names = ("file:///a%20b", "s3://bucket/c", "d")
    chosen = parse("--source", "file:///data", "--names", *names)
    assert chosen.source == "/data"
    assert chosen.names == ("/a b", "s3://bucket/c", "d")
    assert parse("--source", "x", config=str(path)).names == ("/data/ä",)


def test_a_local_path_must_be_on_this_machine(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    for output, path in (("file:///data", "/data"), ("~/run", "/home/anna/run")):
        assert parse("--source", "x", "--output", output).output == path
    for output in ("s3://bucket/run", "foo://run"):
        with pytest.raises(EthosError, match=output):
            parse("--source", "x", "--output", output)
