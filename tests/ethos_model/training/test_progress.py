"""What a run prints, on a terminal and in a log, and what it writes to history.csv."""

import csv
import io
import os

import pytest

from ethos_data.errors import EthosError
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
def printed(monkeypatch):
    """A function that shows an epoch and returns the text."""

    def show(terminal: bool, *, until: int = STEPS) -> str:
        stream = _Stream(terminal)
        monkeypatch.setattr("sys.stdout", stream)
        bar = progress.ProgressBar()
        bar.epoch_begin(2, 50, STEPS)
        for step in range(1, until + 1):
            bar.step_end(step, MEANS | {"loss": float(step)})
        if until < STEPS:
            bar.break_off()
        return stream.getvalue()

    return show


def test_a_log_has_one_line_for_each_epoch(printed):
    title, line, rest = printed(False).split("\n")
    assert title == "Epoch 2/50"
    assert line.startswith("3/3 - ")
    assert rest == ""
    assert line.isprintable()  # no control characters
    # The figures of the last step, which are means over the epoch.
    assert "loss: 3.0000" in line
    assert "landmarks_mae: 0.2500" in line


def test_a_terminal_shows_the_steps(printed):
    text = printed(True)
    # Keras always shows the first and the last step.
    assert "loss: 1.0000" in text
    assert "loss: 3.0000" in text
    assert "\r" in text


def test_an_epoch_that_breaks_off_ends_the_line_of_the_bar(printed):
    assert printed(True, until=2).endswith("\n")
    assert printed(False, until=2) == "Epoch 2/50\n"


def test_epochs_with_and_without_validation_share_a_history(tmp_path):
    path = str(tmp_path / "history.csv")
    rows = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "val_loss": 3.0}]
    progress.write_history(path, rows)
    with open(path, newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"epoch": "1", "loss": "2.0", "val_loss": ""},
            {"epoch": "2", "loss": "1.0", "val_loss": "3.0"},
        ]
    assert os.listdir(tmp_path) == ["history.csv"]


def test_names_a_history_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "history.csv")
    with pytest.raises(EthosError, match=f"{path}: cannot be written: "):
        progress.write_history(path, [{"epoch": 1}])
