"""WFLW: 2,500 faces with 98 landmarks, and six subsets with one difficulty each.

The list `list_98pt_rect_attr_test.txt` and the images of
https://wywu.github.io/projects/LAB/WFLW.html. The subsets are the attributes of the
list. ETHOS predicts 68 landmarks, so the errors are measured on the 68 of the 98
landmarks that `wflw_list.MAPPING` gives. Half of the outline, the lower edge of the
eyebrows, two landmarks of each eye and the pupils are left out.
"""

from __future__ import annotations

import posixpath
from typing import Final

from ethos_data.corpora import wflw_list
from ethos_data.corpora.source import Listing
from ethos_data.errors import EthosError
from ethos_model.evaluation.protocols.protocol import (
    FULL,
    VISIBLE_CONTOUR,
    Item,
    Protocol,
)

LIST: Final = "list_98pt_rect_attr_test.txt"


def _find(listing: Listing) -> list[Item]:
    lists = [p for p in listing.ending(".txt") if posixpath.basename(p) == LIST]
    if not lists:
        raise EthosError(
            f"{listing.corpus_dir}: contains no {LIST}; the protocol needs "
            "WFLW_annotations and WFLW_images"
        )
    text = listing.read(lists[0]).decode("utf-8", "replace")
    lines = dict(enumerate(text.splitlines(), start=1))
    items = []
    for source in wflw_list.find(listing):
        if source.label_file != lists[0]:
            continue
        try:
            subsets = wflw_list.attributes(lines[int(source.entry)])
        except ValueError:
            subsets = ()  # the reader states the reason
        items.append(Item(source, subsets))
    if not items:
        path = listing.path(lists[0])
        raise EthosError(f"{path}: contains no faces with 98 landmarks and attributes")
    return items


PROTOCOL: Final = Protocol(
    name="wflw",
    title="WFLW",
    find=_find,
    read=wflw_list.read,
    subsets=(FULL, *wflw_list.ATTRIBUTES),
    expected={
        FULL: 2500,
        "pose": 326,
        "expression": 314,
        "illumination": 698,
        "make-up": 206,
        "occlusion": 736,
        "blur": 773,
    },
    norm="iod",
    limit=10.0,
    outline=VISIBLE_CONTOUR,
    notes=(
        "The errors are measured on 68 of the 98 landmarks; the published figures are "
        "means over 98. They are not directly comparable: the outline, which is the "
        "most difficult part, is 17 of 68 landmarks here and 33 of 98 there.",
    ),
)
