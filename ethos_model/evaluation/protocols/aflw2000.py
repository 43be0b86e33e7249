"""AFLW2000-3D: 2,000 faces at any yaw, with landmarks from a fitted 3D head.

The images and `.mat` files of http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/
main.htm. The errors are those of x and y. As in 3DDFA and 3DDFA_V2, they are divided by
sqrt(w * h) of the box of the labels, the faces are divided by the yaw in `Pose_Para`
(the last group contains all faces above 60 degrees), and the result is the mean of the
three groups ("balanced"), because most faces are frontal.
"""

from __future__ import annotations

from typing import Final

from ethos_data.corpora import labels, mat_images
from ethos_data.corpora.source import Listing, Source
from ethos_data.errors import EthosError
from ethos_model.evaluation.protocols.protocol import (
    FIXED_VERTEX,
    FULL,
    Item,
    Protocol,
)

_GROUPS: Final = ("yaw 0-30", "yaw 30-60", "yaw 60-90")
_EDGES: Final = (30.0, 60.0)
"""Largest yaw of the first two groups, in degrees."""


def group(yaw: float) -> str:
    """Returns the subset of a face with a yaw in degrees."""
    return _GROUPS[sum(abs(yaw) > edge for edge in _EDGES)]


def _item(listing: Listing, source: Source) -> Item:
    if source.problem:
        return Item(source, ())
    try:
        with labels.errors_of(listing.path(source.label_file)):
            yaw = mat_images.yaw(listing.read(source.label_file))
    except EthosError:
        return Item(source, ())  # `_read` states the reason
    return Item(source, (group(yaw),))


def _find(listing: Listing) -> list[Item]:
    sources = mat_images.find(listing)
    if not any(source.label_file for source in sources):
        raise EthosError(
            f"{listing.corpus_dir}: contains no .mat file; the protocol needs the "
            "directory AFLW2000"
        )
    return [_item(listing, source) for source in sources]


def _read(corpus_dir: str, source: Source, stride: int, max_frames: int | None):
    path = labels.full_path(corpus_dir, source.label_file)
    with labels.errors_of(path):
        mat_images.yaw(labels.read(path))
    yield from mat_images.read(corpus_dir, source, stride, max_frames)


PROTOCOL: Final = Protocol(
    name="aflw2000",
    title="AFLW2000-3D",
    find=_find,
    read=_read,
    subsets=(*_GROUPS, FULL),
    expected={FULL: 2000},
    norm="box",
    limit=10.0,
    outline=FIXED_VERTEX,
    has_iod=False,
    balanced=_GROUPS,
    notes=(
        "The original labels are used. Some publications use labels that were "
        "corrected later (AFLW2000-3D-Reannotated).",
    ),
)
