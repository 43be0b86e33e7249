"""300-W: the public test set (common, challenging) and the private one of the contest.

The files of https://ibug.doc.ic.ac.uk/resources/300-W/ and
https://ibug.doc.ic.ac.uk/resources/facial-point-annotations/ as they are distributed.
The public test set contains the test sets of Helen (330 faces) and LFPW (224), which
are the common subset, and iBUG (135), the challenging subset. The private test set
contains `300W/01_Indoor` and `300W/02_Outdoor`, 300 faces each.

Publications report NME_iod on the public test set. On the private test set, LUVLi
(Kumar et al., CVPR 2020) and SPIGA report NME_box and its AUC at 7 %; HRNet and others
report NME_iod.
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

_PUBLIC: Final = {
    "helen/testset": "common",
    "lfpw/testset": "common",
    "ibug": "challenging",
}
_PRIVATE: Final = {"01_Indoor": "indoor", "02_Outdoor": "outdoor"}


def _find_public(listing: Listing) -> list[Item]:
    return in_directories(
        listing,
        pts_images.find(listing),
        _PUBLIC,
        "helen/testset, lfpw/testset and ibug of 300-W",
    )


def _find_private(listing: Listing) -> list[Item]:
    return in_directories(
        listing,
        pts_images.find(listing),
        _PRIVATE,
        "01_Indoor and 02_Outdoor of the 300-W test set (300w.zip)",
    )


PUBLIC: Final = Protocol(
    name="300w",
    title="300-W, public test set",
    find=_find_public,
    read=pts_images.read,
    subsets=("common", "challenging", FULL),
    expected={"common": 554, "challenging": 135, FULL: 689},
    norm="iod",
    limit=8.0,
    outline=VISIBLE_CONTOUR,
)

PRIVATE: Final = Protocol(
    name="300w_private",
    title="300-W, private test set",
    find=_find_private,
    read=pts_images.read,
    subsets=("indoor", "outdoor", FULL),
    expected={"indoor": 300, "outdoor": 300, FULL: 600},
    norm="box",
    limit=7.0,
    outline=VISIBLE_CONTOUR,
)
