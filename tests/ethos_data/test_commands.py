import configparser
import importlib.util
import pathlib

from ethos_data import commands

ROOT = pathlib.Path(__file__).parent.parent.parent


def test_every_console_script_has_a_function_here():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["console_scripts"].split("\n")
    scripts = dict(line.split(" = ") for line in lines if line)
    assert list(scripts) == list(commands.COMMANDS)
    for target in scripts.values():
        module, function = target.split(":")
        assert module == "ethos_data.commands"
        assert callable(getattr(commands, function))


def test_every_command_has_a_module():
    for module, _ in commands.COMMANDS.values():
        assert importlib.util.find_spec(module) is not None


def test_a_missing_package_is_reported_before_the_import(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *args: None if name == "numba" else find_spec(name, *args),
    )
    monkeypatch.setattr("importlib.import_module", lambda name: 1 // 0)
    assert commands.convert() == 1
    assert capsys.readouterr().err == (
        "error: the package numba is not installed: pip install 'ethos-faces[train]'\n"
    )
