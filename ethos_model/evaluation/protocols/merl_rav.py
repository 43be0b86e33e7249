"""MERL-RAV: AFLW with 68 landmarks and their visibility, at any yaw.

The test sets of `merl_rav_organized`, which the script of
https://github.com/abhi1kumar/MERL-RAV_dataset writes. `pts_images` describes the files.
Landmarks that the face itself hides have no label.

LUVLi (Kumar et al., CVPR 2020) and SPIGA divide the sum of the errors of a face by 68,
not by the number of its labels, so a profile has a smaller NME_box than a frontal face
with the same errors. This protocol does the same.
"""

from __future__ import annotations

from typing import Final

from ethos_data.corpora import pts_images
from ethos_data.corpora.source import Listing
from ethos_model.evaluation.protocols.protocol import (
    FULL,
    VISIBLE_CONTOUR,
    Item,
    Protocol,
    in_directories,
)

_DIRECTORIES: Final = {
    "frontal/testset": "frontal",
    "lefthalf/testset": "half-profile",
    "righthalf/testset": "half-profile",
    "left/testset": "profile",
    "right/testset": "profile",
}


def _find(listing: Listing) -> list[Item]:
    return in_directories(
        listing,
        pts_images.find(listing),
        _DIRECTORIES,
        "frontal, left, lefthalf, right and righthalf of merl_rav_organized",
    )


PROTOCOL: Final = Protocol(
    name="merl_rav",
    title="MERL-RAV",
    find=_find,
    read=pts_images.read,
    subsets=("frontal", "half-profile", "profile", FULL),
    expected={"frontal": 2195, FULL: 3865},
    norm="box",
    limit=7.0,
    outline=f"{VISIBLE_CONTOUR}; landmarks that the face hides have no label",
    has_iod=False,
    divides_by_all=True,
    notes=(
        "The errors of the labelled landmarks of a face are divided by 68, as in the "
        "publications, although the face may have fewer labels.",
        "The box is that of the labelled landmarks.",
    ),
)
