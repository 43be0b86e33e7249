"""Commands report expected failures in one line, and defects with a traceback."""

import os
import subprocess
import sys

import pytest

from ethos_data import errors


def test_reports_an_expected_failure_in_one_line(capsys):
    @errors.cli
    def main(argv=None):
        raise errors.EthosError("a.npz: no `landmarks3D`")

    assert main([]) == 1
    assert capsys.readouterr().err == "error: a.npz: no `landmarks3D`\n"


def test_an_error_of_the_system_is_shown_without_its_number(capsys, tmp_path):
    @errors.cli
    def main(argv=None):
        (tmp_path / "missing").read_bytes()

    assert main([]) == 1
    expected = f"error: {tmp_path}/missing: No such file or directory\n"
    assert capsys.readouterr().err == expected


def test_ctrl_c_has_the_exit_status_of_shells():
    @errors.cli
    def main(argv=None):
        raise KeyboardInterrupt

    assert main([]) == 130


def test_a_defect_keeps_its_traceback():
    @errors.cli
    def main(argv=None):
        return 1 // 0

    with pytest.raises(ZeroDivisionError):
        main([])


def test_names_the_extra_of_a_missing_optional_package(capsys):
    @errors.cli
    def main(argv=None):
        raise ModuleNotFoundError("No module named 'keras'", name="keras.layers")

    assert main([]) == 1
    assert capsys.readouterr().err == (
        "error: the package keras is not installed: pip install 'ethos-faces[train]'\n"
    )


def test_a_missing_module_that_is_not_optional_is_a_defect():
    @errors.cli
    def main(argv=None):
        raise ModuleNotFoundError("No module named 'keyboard'", name="keyboard")

    with pytest.raises(ModuleNotFoundError):
        main([])


def test_a_closed_pipe_ends_the_command_quietly():
    code = (
        "from ethos_data import errors\n"
        "@errors.cli\n"
        "def main(argv=None):\n"
        "    for number in range(100_000): print(number)\n"
        "    return 0\n"
        "raise SystemExit(main())\n"
    )
    shell = f'"{sys.executable}" -c "$1" | head -1; exit "${{PIPESTATUS[0]}}"'
    result = subprocess.run(
        ["bash", "-c", shell, "bash", code], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n", "")


def test_text_that_the_terminal_cannot_show_is_escaped():
    code = (
        "from ethos_data import errors\n"
        "@errors.cli\n"
        "def main(argv=None):\n"
        "    print('wrote ümlaut'); return 0\n"
        "raise SystemExit(main())\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert result.stdout == b"wrote \\xfcmlaut\n"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file", "a.npz"), "No such file"),
        (ValueError("first line\nsecond line"), "first line"),
        (MemoryError(), "MemoryError"),
        (ValueError("x" * 500), "x" * 200),
    ],
)
def test_the_reason_of_an_error_is_one_short_line(error, reason):
    assert errors.reason_of(error) == reason
