"""The options of the annotation of a video: what to draw and how to save it."""

from __future__ import annotations

import dataclasses
from typing import Final

from ethos_data.options import option
from ethos_model.footage.fusion.network import FusionNetwork
from ethos_model.footage.hiding.cover import KINDS
from ethos_model.footage.measures import outline
from ethos_model.footage.tables.writer import CSV_FORMATS
from gui.drawing import compose
from gui.drawing.overlay import DEFAULT, DRAWN, MEASURED, UNCERTAINTY, OverlayOptions

SMALLEST_HEIGHT: Final = 480
"""Smaller videos are enlarged to about this height, in pixels. The drawn landmarks
would cover the face otherwise."""


@dataclasses.dataclass(frozen=True)
class AnnotateOptions:
    """What to draw and how to save it. Each field is a flag."""

    draw: tuple[str, ...] = option(
        DEFAULT,
        "What to draw over the video: the landmarks, the lines between them, the box "
        "with the number of the person, the axes of the head, the openness of the "
        "eyes; without a value, nothing",
        group="drawing",
        choices=DRAWN,
    )
    uncertainty: str = option(
        "color",
        "How to draw the uncertainty of the landmarks: as their colour, as the size of "
        "circles, or not",
        group="drawing",
        choices=UNCERTAINTY,
    )
    beside: tuple[str, ...] = option(
        ("restored", "depth"),
        "Reconstructions of the first face beside the video; without a value, none",
        group="drawing",
        choices=compose.RECONSTRUCTIONS,
    )
    scale: float | None = option(
        None,
        "Pixels of the annotated video per pixel of the video (default: 1, and more "
        f"for videos with fewer than {SMALLEST_HEIGHT} lines)",
        group="drawing",
        above=0,
        maximum=16,
    )
    refine: bool = option(
        True,
        "Read a video file twice: smooth the landmarks with past and future frames, "
        "fill gaps, and remove short tracks that are not faces",
        group="finding faces",
    )
    restore: bool = option(
        False,
        "Replace each face in the annotated video by its reconstruction from the "
        "frames so far",
        group="drawing",
    )
    fusion_model: str | None = option(
        None,
        "Directory of a model of ethos-train-fusion, for --portraits and --restore "
        "(default: the shipped model)",
        group="drawing",
        metavar="DIR",
        local=True,
    )
    hide_faces: str | None = option(
        None,
        "Make all faces of the annotated video unrecognisable. Nothing is drawn over "
        "it, and its sound is kept",
        group="output",
        choices=KINDS,
    )
    stills_every: float = option(
        1.0, "Time between two stills, in seconds", group="output", minimum=0
    )
    outline: str = option(
        outline.ANATOMICAL,
        "Landmarks 0 to 16: fixed points of the head, or the visible outline of the "
        "cheek as in 2D data sets",
        group="output",
        choices=outline.OUTLINES,
    )
    csv_format: str = option(
        "ethos",
        "Columns of CSV tables: all, or those of OpenFace 2",
        group="output",
        choices=CSV_FORMATS,
    )
    mesh_format: str = option(
        "ply", "File format of meshes", group="output", choices=("ply", "obj")
    )

    @property
    def overlay(self) -> OverlayOptions:
        """What to draw over the video."""
        drawn = {name: name in self.draw for name in DRAWN}
        return OverlayOptions(**drawn, uncertainty=self.uncertainty)

    @property
    def fusion_network(self) -> FusionNetwork | None:
        """The network of `fusion_model`; None for the shipped one.

        Raises:
          EthosError: The directory contains no such model.
        """
        return None if self.fusion_model is None else FusionNetwork(self.fusion_model)

    @property
    def draws_measures(self) -> bool:
        """Whether the drawing needs the measures of the faces."""
        return any(name in MEASURED for name in self.draw)
