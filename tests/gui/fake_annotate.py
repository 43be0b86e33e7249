"""Runs ethos-annotate with the fake model: `python -m tests.gui.fake_annotate ...`."""

from gui import annotate
from tests.gui import fakes

if __name__ == "__main__":
    annotate.load = fakes.load
    raise SystemExit(annotate.main())
