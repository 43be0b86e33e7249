import pytest

from ethos_data import errors


def test_expected_failures_are_one_line(capsys):
    @errors.cli
    def main(argv=None):
        raise errors.EthosError("a.npz: no `landmarks3D`")

    assert main([]) == 1
    assert capsys.readouterr().err == "error: a.npz: no `landmarks3D`\n"


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
