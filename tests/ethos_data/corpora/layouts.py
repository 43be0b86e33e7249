"""Tiny corpora in exactly the layouts of the published formats, made from a seed."""

from __future__ import annotations

import csv
import json
import pathlib

import av
import cv2
import h5py
import numpy as np
import scipy.io

from ethos_data.corpora import wflw_list
from tests.ethos_data.videos import face_points

FACES = 4
HEIGHT, WIDTH = 96, 112


def image(seed: int) -> np.ndarray:
    """Returns a smooth random image, uint8 (96, 112, 3), RGB."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (5, 6, 3)).astype(np.float32)
    return cv2.resize(coarse, (WIDTH, HEIGHT)).clip(0, 255).astype(np.uint8)


def landmarks(seed: int) -> np.ndarray:
    """Returns landmarks with two decimals, float64 (68, 3), in pixels of `image`."""
    rng = np.random.default_rng(seed)
    points = face_points() * rng.uniform(20, 24)
    points[:, :2] += np.array([WIDTH, HEIGHT]) / 2 + rng.uniform(-4, 4, 2)
    return np.round(points, 2)


def write_image(path: pathlib.Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(image(seed), cv2.COLOR_RGB2BGR))


def write_video(path: pathlib.Path, frames: int) -> None:
    """Writes a lossless video whose frame k is `image(k)`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "bgr0"
        for seed in range(frames):
            frame = av.VideoFrame.from_ndarray(image(seed), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())


def pts_text(points: np.ndarray) -> str:
    """The text of a `.pts` file, which counts pixels from 1."""
    lines = [f"{x + 1:.2f} {y + 1:.2f}" for x, y in points[:, :2]]
    return "\n".join(["version: 1", f"n_points: {len(lines)}", "{", *lines, "}", ""])


def pts(directory: pathlib.Path) -> None:
    """Helen: nested directories of images with `.pts` files."""
    for k in range(FACES):
        path = directory / "helen" / "trainset" / f"{k}_1.png"
        write_image(path, k)
        path.with_suffix(".pts").write_text(pts_text(landmarks(k)))


def merl_rav(directory: pathlib.Path) -> None:
    """MERL-RAV: landmark 3 has no label, and landmark 4 is covered."""
    folders = (
        "frontal/trainset",
        "frontal/testset",
        "left/testset",
        "righthalf/testset",
    )
    for k, folder in enumerate(folders):
        path = directory / "merl_rav_organized" / folder / f"image{k:05d}_1.png"
        write_image(path, k)
        points = landmarks(k)[:, :2]
        lines = [f"{x + 1} {y + 1}" for x, y in points]
        lines[3] = "-1 -1"
        lines[4] = f"{-points[4, 0] - 1} {-points[4, 1] - 1}"
        text = ["version: 1", "n_points:  68", "{", *lines, "}"]
        path.with_suffix(".pts").write_text("\n".join(text) + "\n")


def write_cofw_images(path: pathlib.Path, images: list[np.ndarray]) -> None:
    """Writes a cell array of images as MATLAB 7.3 does: HDF5 with a header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_dataset("IsT", (1, len(images)), h5py.ref_dtype)
        for k, pixels in enumerate(images):
            stored = file.create_dataset(f"#refs#/{k}", data=pixels.T)
            cells[0, k] = stored.ref
    with open(path, "r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(512))


def write_cofw_labels(directory: pathlib.Path, number: int, points: np.ndarray) -> None:
    """Writes a file of COFW68, in which landmark 4 is covered."""
    path = directory / "COFW68_Data" / "test_annotations" / f"{number}_points.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = np.zeros((68, 1), np.uint8)
    hidden[4] = 1
    scipy.io.savemat(path, {"Points": points[:, :2] + 1, "Occ": hidden})


def cofw68(directory: pathlib.Path) -> None:
    """COFW68: a file for each face, and one file with all images."""
    images = [image(k) for k in range(FACES)]
    write_cofw_images(directory / "COFW_color" / "COFW_test_color.mat", images)
    for k in range(FACES):
        write_cofw_labels(directory, k + 1, landmarks(k))


def wflw(directory: pathlib.Path) -> None:
    """WFLW: two lists of faces, and images in another directory."""
    lists = directory / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    lists.mkdir(parents=True)
    # The short lists name the same faces again.
    short = directory / "WFLW_annotations" / "list_98pt_test"
    short.mkdir()
    for name, faces in (("train", range(0, 3)), ("test", range(3, FACES))):
        lines = []
        for k in faces:
            file = f"{k}--Parade/{k}_Parade_1.png"
            write_image(directory / "WFLW_images" / file, k)
            points = np.full((98, 2), 50.0)
            points[wflw_list.MAPPING] = landmarks(k)[:, :2]
            numbers = [f"{v:.6f}" for v in points.ravel()]
            lines.append(" ".join([*numbers, "10 10 90 90 0 0 0 0 0 0", file]))
        path = lists / f"list_98pt_rect_attr_{name}.txt"
        path.write_text("\n".join(lines) + "\n")
        cut = [" ".join([*line.split()[:196], line.split()[-1]]) for line in lines]
        (short / f"list_98pt_{name}.txt").write_text("\n".join(cut) + "\n")


def coco(directory: pathlib.Path) -> None:
    """COCO: 68 keypoints, a whole body of 133, COCO-WholeBody, a body without face."""
    images, annotations = [], []
    for k in range(FACES):
        file = f"{k:012d}.png"
        write_image(directory / "val2017" / file, k)
        size = {"width": WIDTH, "height": HEIGHT}
        images.append({"id": 10 + k, "file_name": file} | size)
        v = np.full((68, 1), 2)
        face = np.hstack([landmarks(k)[:, :2], v])
        annotation = {"id": 100 + k, "image_id": 10 + k, "category_id": 1}
        if k == 0:
            face[3] = 0, 0, 0
            face[4, 2] = 1
            annotation["keypoints"] = face.ravel().tolist()
        elif k == 1:
            body = np.zeros((133, 3))
            body[23:91] = face
            annotation["keypoints"] = body.ravel().tolist()
        else:
            annotation |= {"keypoints": [0] * 51, "face_valid": True}
            annotation["face_kpts"] = face.ravel().tolist()
        annotations.append(annotation)
    annotations.append(
        {"id": 200, "image_id": 10, "keypoints": [0] * 51, "face_valid": False}
        | {"face_kpts": [0] * 204}
    )
    (directory / "annotations").mkdir()
    path = directory / "annotations" / "coco_wholebody_val_v1.0.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


def video_300vw(directory: pathlib.Path) -> None:
    """300-VW: directories with a video and a `.pts` file for each frame."""
    for name in ("001", "002", "003"):
        write_video(directory / name / "vid.avi", FACES)
        (directory / name / "annot").mkdir()
        for k in range(FACES):
            path = directory / name / "annot" / f"{k + 1:06d}.pts"
            path.write_text(pts_text(landmarks(k)))


def mat(directory: pathlib.Path) -> None:
    """AFLW2000-3D: images with `pt3d_68`, which counts pixels from 1."""
    for k in range(FACES):
        path = directory / f"image{k:05d}.png"
        write_image(path, k)
        points = landmarks(k).T
        points[:2] += 1
        arrays = {"pt3d_68": points, "pt2d": np.full((2, 21), -1.0)}
        scipy.io.savemat(path.with_suffix(".mat"), arrays)


def mat_300w_lp(directory: pathlib.Path) -> None:
    """300W-LP: views of two faces with `pt2d`, and a directory of other landmarks."""
    for k in range(FACES):
        name = f"AFW_{k // 2}_1_{k % 2}"
        write_image(directory / "AFW" / f"{name}.png", k)
        points = landmarks(k)[:, :2].T + 1
        scipy.io.savemat(directory / "AFW" / f"{name}.mat", {"pt2d": points})
        other = directory / "landmarks" / "AFW" / f"{name}_pts.mat"
        other.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(other, {"pts_2d": points.T, "pts_3d": points.T})


def _write_rows(path: pathlib.Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def csv_images(directory: pathlib.Path) -> None:
    """A table with image names, people, x, y and z."""
    names = [f"{axis}{i}" for i in range(68) for axis in "xyz"]
    rows: list[list[object]] = [["image", "person", *names]]
    for k in range(FACES):
        write_image(directory / "photos" / f"{k}.png", k)
        person = f"Person {k // 2}"
        rows.append([f"photos/{k}.png", person, *landmarks(k).ravel()])
    _write_rows(directory / "labels.csv", rows)


def openface(directory: pathlib.Path) -> None:
    """OpenFace: frames from 1, spaces in the header, failed rows, positions in mm."""
    names = [f" {axis}_{i}" for axis in "xyXYZ" for i in range(68)]
    header = ["frame", " face_id", " timestamp", " confidence", " success", *names]
    rows: list[list[object]] = [header]
    for k in range(FACES):
        for face in (0, 1):
            x, y, _ = landmarks(k).T
            success = int(face == 0 or k > 0)
            values = [*x, *y, *[999] * 204]
            rows.append([k + 1, face, k / 25, 0.98, success, *values])
    write_video(directory / "clip.avi", FACES)
    _write_rows(directory / "clip.csv", rows)


def ethos(directory: pathlib.Path) -> None:
    """ETHOS: two videos with the table of `ethos-annotate`."""
    names = [f"{c}{i}" for i in range(68) for c in ("x", "y", "z", "sigma")]
    for clip in ("a", "b", "c"):
        rows: list[list[object]] = [["frame", "time_s", "face", "unsure", "score"]]
        rows[0] += names
        for k in range(FACES):
            values = np.column_stack([landmarks(k), np.ones(68)]).ravel()
            rows.append([k, k / 25, 1, 0, 0.9, *values])
        write_video(directory / f"{clip}.avi", FACES)
        _write_rows(directory / f"{clip}.csv", rows)


def deeplabcut(directory: pathlib.Path) -> None:
    """DeepLabCut: three header rows, and a landmark with a low likelihood."""
    parts = [f"landmark_{i}" for i in range(68) for _ in range(3)]
    for clip in ("a", "b", "c"):
        rows: list[list[object]] = [
            ["scorer", *["DLC_resnet50"] * 204],
            ["bodyparts", *parts],
            ["coords", *["x", "y", "likelihood"] * 68],
        ]
        for k in range(FACES):
            likelihood = np.ones(68)
            likelihood[7] = 0.1
            points = np.column_stack([landmarks(k)[:, :2], likelihood])
            rows.append([k, *points.ravel()])
        write_video(directory / f"{clip}.avi", FACES)
        _write_rows(directory / f"{clip}DLC_resnet50_faceshuffle1_1000.csv", rows)
