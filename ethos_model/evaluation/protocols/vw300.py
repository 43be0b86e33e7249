"""300-VW: 64 test videos in three categories.

The files of https://ibug.doc.ic.ac.uk/resources/300-VW/ (Shen et al., ICCV workshops
2015): category A has good light, B other light, C any conditions. If `extra/NNN.mat`
exists, its array `error` contains the numbers of the frames without a reliable label,
counted from 1. These frames are left out. Each frame is evaluated alone.
"""

from __future__ import annotations

import posixpath
from typing import Final

import numpy as np

from ethos_data.corpora import labels, mat_images, video_300vw
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from ethos_model.evaluation.protocols.protocol import (
    FULL,
    VISIBLE_CONTOUR,
    Item,
    Protocol,
)

CATEGORIES: Final[dict[str, tuple[int, ...]]] = {
    "category A": (
        *(114, 124, 125, 126, 150, 158, 401, 402, 505, 506, 507, 508, 509, 510, 511),
        *(514, 515, 518, 519, 520, 521, 522, 524, 525, 537, 538, 540, 541, 546, 547),
        548,
    ),
    "category B": (
        *(203, 208, 211, 212, 213, 214, 218, 224, 403, 404, 405, 406, 407, 408, 409),
        *(412, 550, 551, 553),
    ),
    "category C": (
        *(410, 411, 516, 517, 526, 528, 529, 530, 531, 533, 557, 558, 559, 562),
    ),
}
"""Numbers of the test videos. The other 50 videos are for training."""


def _excluded(listing: Listing, name: str) -> frozenset[int]:
    """Returns the numbers of the frames that are left out of a video, from 0."""
    wanted = f"extra/{name}.mat"
    paths = [p for p in listing.ending(".mat") if f"/{p}".endswith(f"/{wanted}")]
    if not paths:
        return frozenset()
    with labels.errors_of(listing.path(paths[0])):
        numbers = np.ravel(mat_images.load(listing.read(paths[0])).get("error", ()))
        return frozenset((numbers.astype(int) - 1).tolist())


def _find(listing: Listing) -> list[Item]:
    category = {f"{n:03d}": c for c, numbers in CATEGORIES.items() for n in numbers}
    items = []
    for source in video_300vw.find(listing):
        name = posixpath.basename(source.video_id)
        if name in category:
            excluded = _excluded(listing, name)
            items.append(Item(source, (category[name],), excluded))
    for subset in CATEGORIES:
        if not any(subset in item.subsets for item in items):
            first = CATEGORIES[subset][0]
            raise EthosError(
                f"{listing.corpus_dir}: contains no video of {subset}; the protocol "
                f"needs {first}/vid.avi with {first}/annot of 300-VW, and others"
            )
    return items


PROTOCOL: Final = Protocol(
    name="300vw",
    title="300-VW, test videos",
    find=_find,
    read=video_300vw.read,
    subsets=(*CATEGORIES, FULL),
    expected={},
    norm="iod",
    limit=8.0,
    outline=VISIBLE_CONTOUR,
    notes=(
        "Each frame is evaluated alone, without a tracker. Many publications measure "
        "49 landmarks without the outline; these are 68.",
    ),
)
