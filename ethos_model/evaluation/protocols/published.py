"""Published results of HRNet, RTMPose, SPIGA and 3DDFA_V2 on the test sets.

Each figure was read in the named source. Where no figure is known for certain, there is
none.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ethos_model.evaluation.protocols.protocol import FULL

METHODS: Final = ("HRNet", "RTMPose", "SPIGA", "3DDFA_V2")

NME_IOD: Final = "nme_iod"
NME_BOX: Final = "nme_box"
AUC: Final = "auc"
FAILURES: Final = "failure_rate"

Figures = dict[str, dict[str, float]]
"""For each subset: its figures by name, in %. AUC and failure rate have the unit and
the limit of the protocol."""


@dataclasses.dataclass(frozen=True)
class Published:
    """The results of a method on a test set.

    Attributes:
      method: Name of the method, one of `METHODS`.
      protocol: Name of the protocol.
      source: Where the figures were published.
      figures: The figures.
    """

    method: str
    protocol: str
    source: str
    figures: Figures


_HRNET: Final = (
    "HRNetV2-W18, Sun et al., arXiv 1904.04514 (2019); figures of the README of "
    "github.com/HRNet/HRNet-Facial-Landmark-Detection"
)
_SPIGA: Final = (
    "Prados-Torreblanca et al., BMVC 2022; figures of the authors' result files, "
    "eval/results of github.com/andresprados/SPIGA"
)
_SPIGA_WFLW: Final = (
    "Prados-Torreblanca et al., BMVC 2022; figures of the authors' model card, "
    "huggingface.co/aprados/spiga"
)
_RTMPOSE: Final = (
    "RTMPose-m 256x256, Jiang et al., arXiv 2303.07399 (2023); figure of the model zoo "
    "of github.com/open-mmlab/mmpose, configs/face_2d_keypoint/rtmpose/wflw"
)
_3DDFA: Final = (
    "model M+R+S, Guo et al., ECCV 2020 (arXiv 2009.09960), comparison on AFLW2000-3D "
    "with 68 points"
)


def _iod(nme: float, auc: float, failures: float) -> dict[str, float]:
    return {NME_IOD: nme, AUC: auc, FAILURES: failures}


def _box(nme: float, auc: float, failures: float) -> dict[str, float]:
    return {NME_BOX: nme, AUC: auc, FAILURES: failures}


PUBLISHED: Final = (
    Published(
        "HRNet",
        "300w",
        _HRNET,
        {
            "common": {NME_IOD: 2.91},
            "challenging": {NME_IOD: 5.11},
            FULL: {NME_IOD: 3.34},
        },
    ),
    Published(
        "SPIGA",
        "300w",
        _SPIGA,
        {
            "common": _iod(2.59, 67.67, 0.0),
            "challenging": _iod(4.66, 42.45, 3.70),
            FULL: _iod(2.99, 62.73, 0.73),
        },
    ),
    Published("HRNet", "300w_private", _HRNET, {FULL: {NME_IOD: 3.85}}),
    Published(
        "SPIGA",
        "300w_private",
        _SPIGA,
        {
            "indoor": _box(2.03, 70.96, 0.33),
            "outdoor": _box(2.03, 71.05, 0.0),
            FULL: _box(2.03, 71.01, 0.17),
        },
    ),
    Published("SPIGA", "cofw68", _SPIGA, {FULL: _box(2.52, 64.05, 0.0)}),
    Published(
        "SPIGA",
        "merl_rav",
        _SPIGA,
        {
            "frontal": _box(1.62, 76.96, 0.09),
            "half-profile": _box(1.68, 75.97, 0.0),
            "profile": _box(1.19, 82.99, 0.0),
            FULL: _box(1.51, 78.47, 0.05),
        },
    ),
    Published(
        "HRNet",
        "wflw",
        _HRNET,
        {
            FULL: {NME_IOD: 4.60},
            "pose": {NME_IOD: 7.86},
            "expression": {NME_IOD: 4.78},
            "illumination": {NME_IOD: 4.57},
            "make-up": {NME_IOD: 4.26},
            "occlusion": {NME_IOD: 5.42},
            "blur": {NME_IOD: 5.36},
        },
    ),
    Published("RTMPose", "wflw", _RTMPOSE, {FULL: {NME_IOD: 4.01}}),
    Published(
        "SPIGA",
        "wflw",
        _SPIGA_WFLW,
        {
            FULL: _iod(4.06, 60.56, 2.08),
            "pose": _iod(7.14, 35.31, 11.66),
            "expression": _iod(4.46, 57.97, 2.23),
            "illumination": _iod(4.00, 61.31, 1.58),
            "make-up": _iod(3.81, 62.24, 1.46),
            "occlusion": _iod(4.95, 53.31, 4.48),
            "blur": _iod(4.65, 55.31, 2.20),
        },
    ),
    Published(
        "3DDFA_V2",
        "aflw2000",
        _3DDFA,
        {
            "balanced mean": {NME_BOX: 3.51},
        },
    ),
)


def of(protocol: str) -> tuple[Published, ...]:
    """Returns the published results on a test set, in the order of `METHODS`."""
    entries = [entry for entry in PUBLISHED if entry.protocol == protocol]
    return tuple(sorted(entries, key=lambda entry: METHODS.index(entry.method)))
