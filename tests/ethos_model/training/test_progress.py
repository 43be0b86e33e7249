"""What a run says, on a terminal and in a log."""

import io

import pytest

from ethos_model.training import progress

STEPS = 3
MEANS = dict.fromkeys(progress._SHOWN, 0.25)


class _Stream(io.StringIO):
    def __init__(self, terminal: bool):
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def said(monkeypatch):
    def run(terminal: bool, *, until: int = STEPS) -> str:
        stream = _Stream(terminal)
        monkeypatch.setattr("sys.stdout", stream)
        bar = progress.ProgressBar()
        bar.epoch_begin(2, 50, STEPS)
        for step in range(1, until + 1):
            bar.step_end(step, MEANS | {"loss": float(step)})
        if until < STEPS:
            bar.break_off()
        return stream.getvalue()

    return run


def test_a_log_gets_one_line_an_epoch(said):
    title, line, rest = said(False).split("\n")
    assert title == "Epoch 2/50"
    assert line.startswith("3/3 - ")
    assert rest == ""
    assert line.isprintable()  # nothing is written over there
    # Of the epoch, as its last step has it.
    assert "loss: 3.0000" in line
    assert "landmarks_mae: 0.2500" in line


def test_a_terminal_sees_the_steps_go_by(said):
    text = said(True)
    # Keras shows no more than twenty a second, the first and the last always.
    assert "loss: 1.0000" in text
    assert "loss: 3.0000" in text
    assert "\r" in text


def test_an_epoch_that_breaks_off_leaves_the_bars_line(said):
    assert said(True, until=2).endswith("\n")
    assert said(False, until=2) == "Epoch 2/50\n"
