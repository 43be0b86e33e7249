"""Runs of the tiny network: helpers of the tests of training."""

from __future__ import annotations

from ethos_model import train
from ethos_model.training import progress
from ethos_model.training.config import TrainConfig
from tests.ethos_model import tiny


def run(data_dir, workdir, report=None, **changes):
    config = TrainConfig(
        data_dir=data_dir, workdir=str(workdir), **{**tiny.FLAGS, **changes}
    )
    return train.fit(config, report=report or progress.Silent())


def curve(history):
    """The figures of a history that must repeat; the speed may differ."""
    return [{k: v for k, v in r.items() if k != "images_per_second"} for r in history]


class Messages(progress.Silent):
    """Collects the messages of a run."""

    def __init__(self):
        self.texts = []
        self.breaks = 0

    def message(self, text):
        self.texts.append(text)

    def break_off(self):
        self.breaks += 1


class At(progress.Silent):
    """Calls a function at one step of the run."""

    def __init__(self, step, action):
        self.left, self.action = step, action

    def step_end(self, step, means):
        self.left -= 1
        if self.left == 0:
            self.action()
