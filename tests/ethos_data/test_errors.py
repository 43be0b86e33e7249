import os
import subprocess
import sys

import pytest

from ethos_data import errors


def test_expected_failures_are_one_line(capsys):
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


def test_interrupt_has_the_shells_status():
    @errors.cli
    def main(argv=None):
        raise KeyboardInterrupt

    assert main([]) == 130


def test_defects_keep_their_traceback():
    @errors.cli
    def main(argv=None):
        return 1 // 0

    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_missing_optional_package_is_named_with_its_extra(capsys):
    @errors.cli
    def main(argv=None):
        raise ModuleNotFoundError("No module named 'keras'", name="keras.layers")

    assert main([]) == 1
    assert capsys.readouterr().err == (
        "error: the package keras is not installed: pip install 'ethos-faces[train]'\n"
    )


def test_another_missing_module_is_a_defect():
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
    done = subprocess.run(
        ["bash", "-c", shell, "bash", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_text_that_the_terminal_cannot_show_is_escaped():
    code = (
        "from ethos_data import errors\n"
        "@errors.cli\n"
        "def main(argv=None):\n"
        "    print('wrote ümlaut'); return 0\n"
        "raise SystemExit(main())\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert done.stdout == b"wrote \\xfcmlaut\n"
