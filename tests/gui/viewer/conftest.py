"""People with chosen values, for the tests of the history and of its users."""

import dataclasses

import numpy as np
import pytest

from ethos_model.footage.reader import Frame
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.tracks import measured
from gui.viewer.engine import READY
from gui.viewer.view import View
from tests.gui import fakes

FPS = 25.0


@pytest.fixture(scope="session")
def portrait_image():
    image = np.full((160, 240, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(image, (80, 30, 150, 120))
    return image


@pytest.fixture(scope="module")
def seen(portrait_image):
    """Function that returns the face with other values."""
    tracker = FaceTracker(fakes.FakePredictor(), fakes.FakeFinder())
    face = measured(portrait_image, tracker.update(portrait_image, 0.0)[0])

    def make(number=1, yaw=0.0, quality=0.5):
        pose = dataclasses.replace(face.measures.pose, yaw=yaw)
        measures = dataclasses.replace(face.measures, pose=pose, quality=quality)
        return dataclasses.replace(face, id=number, measures=measures)

    return make


@pytest.fixture
def add(portrait_image):
    """Function that adds a frame to a history."""

    def run(target, index, *faces, picture=None, **fields):
        shown = portrait_image if picture is None else picture
        frame = Frame(shown, index, index / FPS)
        view = View(frame, shown, list(faces), [], False, READY, {}, 0.0, **fields)
        target.add(view)

    return run
