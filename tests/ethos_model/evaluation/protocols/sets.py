"""Tiny test sets of rendered heads in exactly the layouts of the published ones."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable

import av
import cv2
import numpy as np
import scipy.io

from ethos_data.corpora import wflw_list
from ethos_data.heads.render import render_sample
from tests.ethos_data.corpora import layouts

SIZE = 160


@dataclasses.dataclass(frozen=True)
class Truth:
    """A face that a protocol must evaluate.

    Attributes:
      image: uint8 (H, W, 3), RGB, as it is stored.
      points: float64 (68, 2), source pixels. NaN where there is no label.
      subsets: Subsets of the face, without the full set.
    """

    image: np.ndarray
    points: np.ndarray
    subsets: tuple[str, ...]


@functools.cache
def head(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a rendered frame, uint8 (H, W, 3), and its landmarks, float64 (68, 2)."""
    sample = render_sample(seed, SIZE)
    return sample.image, np.asarray(sample.landmarks, np.float64)[:, :2]


def write_image(path: pathlib.Path, image: np.ndarray) -> np.ndarray:
    """Writes an image and returns the pixels that the file contains."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def pts_text(points: np.ndarray) -> str:
    lines = [f"{x + 1:.6f} {y + 1:.6f}" for x, y in points]
    return "\n".join(["version: 1", "n_points: 68", "{", *lines, "}", ""])


def _pts(directory: pathlib.Path, files: dict[str, str]) -> list[Truth]:
    """Writes heads with `.pts` files. `files` maps paths to subsets; "" for none."""
    truths = []
    for seed, (name, subset) in enumerate(files.items()):
        image, points = head(seed)
        stored = write_image(directory / name, image)
        (directory / name).with_suffix(".pts").write_text(pts_text(points))
        if subset:
            truths.append(Truth(stored, points, (subset,)))
    return truths


def w300(directory: pathlib.Path) -> list[Truth]:
    """300-W: the training sets must be ignored."""
    return _pts(
        directory / "300W",
        {
            "afw/134212_1.jpg": "",
            "helen/trainset/100032540_1.jpg": "",
            "helen/testset/296814969_3.jpg": "common",
            "lfpw/testset/image_0001.png": "common",
            "ibug/image_003_1.jpg": "challenging",
            "ibug/image_092 _01.jpg": "challenging",
        },
    )


def w300_private(directory: pathlib.Path) -> list[Truth]:
    return _pts(
        directory / "300W",
        {
            "01_Indoor/indoor_001.png": "indoor",
            "01_Indoor/indoor_002.png": "indoor",
            "02_Outdoor/outdoor_001.png": "outdoor",
        },
    )


def merl_rav(directory: pathlib.Path) -> list[Truth]:
    """MERL-RAV: hidden landmarks of profiles without label, and covered landmarks."""
    subsets = {
        "frontal": "frontal",
        "lefthalf": "half-profile",
        "righthalf": "half-profile",
        "left": "profile",
        "right": "profile",
    }
    truths = []
    for seed, (name, subset) in enumerate(subsets.items()):
        image, points = head(seed)
        path = directory / "merl_rav_organized" / name / "testset" / f"image{seed}.jpg"
        stored = write_image(path, image)
        signed = points + 1
        signed[20:25] *= -1  # covered by an object: the label counts
        truth = points.copy()
        if subset == "profile":
            signed[:8] = -1
            truth[:8] = np.nan
        path.with_suffix(".pts").write_text(pts_text(signed - 1))
        truths.append(Truth(stored, truth, (subset,)))
        train = path.parent.parent / "trainset" / path.name
        write_image(train, image)
        train.with_suffix(".pts").write_text(pts_text(points))
    return truths


def cofw68(directory: pathlib.Path) -> list[Truth]:
    heads = [head(seed) for seed in range(3)]
    path = directory / "COFW_color" / "COFW_test_color.mat"
    layouts.write_cofw_images(path, [image for image, _ in heads])
    for number, (_, points) in enumerate(heads, start=1):
        layouts.write_cofw_labels(directory, number, points)
    return [Truth(image, points, ()) for image, points in heads]


def wflw(directory: pathlib.Path) -> list[Truth]:
    """WFLW: a face may have several attributes or none."""
    lists = directory / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    attributes = ("0 0 0 0 0 0", "1 0 0 0 0 1", "0 1 1 0 0 0", "0 0 0 1 1 0")
    truths, lines = [], []
    for seed, flags in enumerate(attributes):
        image, points = head(seed)
        name = f"{seed}--Parade/{seed}_Parade_Parade_{seed}.jpg"
        stored = write_image(directory / "WFLW_images" / name, image)
        all_points = np.full((98, 2), 9.0)
        all_points[wflw_list.MAPPING] = points
        numbers = " ".join(f"{value:.6f}" for value in all_points.ravel())
        lines.append(f"{numbers} 10 10 90 90 {flags} {name}")
        names = zip(wflw_list.ATTRIBUTES, flags.split(), strict=True)
        subsets = tuple(n for n, flag in names if flag == "1")
        truths.append(Truth(stored, points, subsets))
    (lists / "list_98pt_rect_attr_test.txt").write_text("\n".join(lines) + "\n")
    (lists / "list_98pt_rect_attr_train.txt").write_text(lines[0] + "\n")
    return truths


def aflw2000(directory: pathlib.Path) -> list[Truth]:
    yaws = {"yaw 0-30": (0, -30), "yaw 30-60": (31, -59), "yaw 60-90": (-61, 95)}
    truths = []
    seed = 0
    for subset, angles in yaws.items():
        for yaw in angles:
            image, points = head(seed % 3)
            path = directory / "AFLW2000" / f"image{seed:05d}.jpg"
            stored = write_image(path, image)
            pose = np.radians([[10, yaw, -20, 0, 0, 0, 0]])
            points_3d = np.vstack([points.T + 1, np.zeros(68)])
            arrays = {"pt3d_68": points_3d, "Pose_Para": pose}
            scipy.io.savemat(path.with_suffix(".mat"), arrays)
            truths.append(Truth(stored, points, (subset,)))
            seed += 1
    return truths


def vw300(directory: pathlib.Path) -> list[Truth]:
    """300-VW: three frames in each video. The second of 203 has no reliable label."""
    root = directory / "300VW_Dataset_2015_12_14"
    categories = {"001": "", "114": "category A", "203": "category B"}
    categories["410"] = "category C"
    truths = []
    for name, category in categories.items():
        (root / name / "annot").mkdir(parents=True)
        path = root / name / "vid.avi"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height = head(0)[0].shape[1::-1]
            stream.pix_fmt = "bgr0"
            image, points = head(0)
            for number in range(3):
                shifted = np.roll(image, number, axis=1)
                frame = av.VideoFrame.from_ndarray(shifted, format="rgb24")
                container.mux(stream.encode(frame.reformat(format="bgr0")))
                moved = points + np.array([number, 0])
                label = root / name / "annot" / f"{number + 1:06d}.pts"
                label.write_text(pts_text(moved))
                if category and (name, number) != ("203", 1):
                    truths.append(Truth(shifted, moved, (category,)))
            container.mux(stream.encode())
    (root / "extra").mkdir()
    scipy.io.savemat(root / "extra" / "203.mat", {"error": [[2]]})
    return truths


BUILDERS: dict[str, Callable[[pathlib.Path], list[Truth]]] = {
    "300w": w300,
    "300w_private": w300_private,
    "cofw68": cofw68,
    "merl_rav": merl_rav,
    "wflw": wflw,
    "aflw2000": aflw2000,
    "300vw": vw300,
}
