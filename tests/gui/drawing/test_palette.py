"""The colours can be told apart with every kind of colour vision."""

import itertools

import cv2
import numpy as np
import pytest

from gui.drawing import palette

# Simulation of colour blindness: Machado, Oliveira and Fernandes, "A Physiologically-
# based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

DIFFERENCE = 12
"""Distance in CIE Lab from which two lines are told apart without effort. 2 is just
noticeable when two areas touch."""


def lab(color, vision):
    """Lab of a colour as a person with this vision sees it."""
    share = np.array(color) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(VISION[vision] @ linear, 0, 1)
    encoded = np.where(
        seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055
    )
    return cv2.cvtColor(encoded.astype(np.float32)[None, None], cv2.COLOR_RGB2Lab)[0, 0]


def least_difference(colors, vision):
    return min(
        np.linalg.norm(lab(a, vision) - lab(b, vision))
        for a, b in itertools.combinations(colors, 2)
    )


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colors", [palette.PEOPLE, palette.SURE, palette.AXES])
def test_the_colours_of_a_group_differ(colors, vision):
    assert least_difference(colors, vision) > DIFFERENCE


def test_red_and_green_would_not_pass():
    assert least_difference([(200, 60, 60), (110, 130, 50)], "deuteranopia") < 12


def test_each_person_has_a_colour():
    assert palette.person(1) == palette.PEOPLE[0]
    assert palette.person(1 + len(palette.PEOPLE)) == palette.PEOPLE[0]
