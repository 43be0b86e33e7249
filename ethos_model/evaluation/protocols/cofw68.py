"""COFW68: 507 faces, many of them partly covered, with 68 landmarks.

`ethos_data.corpora.cofw68` describes the files. Covered landmarks have labels and count
like the others. LUVLi and SPIGA report NME_box and its AUC at 7 %. The authors of the
data set divide by the distance of the centres of the eyes instead.
"""

from __future__ import annotations

from typing import Final

from ethos_data.corpora import cofw68
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from ethos_model.evaluation.protocols.protocol import (
    FULL,
    VISIBLE_CONTOUR,
    Item,
    Protocol,
)


def _find(listing: Listing) -> list[Item]:
    sources = cofw68.find(listing)
    if not sources:
        raise EthosError(
            f"{listing.corpus_dir}: contains no file N_points.mat; the protocol needs "
            "COFW68_Data/test_annotations of COFW68"
        )
    if not cofw68.detect(listing):
        raise EthosError(
            f"{listing.corpus_dir}: contains no COFW_test_color.mat or COFW_test.mat "
            "with the images of COFW"
        )
    return [Item(source, ()) for source in sources]


PROTOCOL: Final = Protocol(
    name="cofw68",
    title="COFW68",
    find=_find,
    read=cofw68.read,
    subsets=(FULL,),
    expected={FULL: 507},
    norm="box",
    limit=7.0,
    outline=VISIBLE_CONTOUR,
)
