"""Corrected faces of videos and folders become records with exact landmarks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ethos_data import topology
from ethos_data.corpora import corrections
from ethos_data.corpora.corrections import CorrectedFace
from ethos_data.errors import EthosError
from ethos_data.visibility import UNLABELLED, VISIBLE
from pipelines.refinement import footage
from tests.ethos_data.corpora import layouts


def corrected(frame: int, image: str = "", face: int = 0) -> CorrectedFace:
    """Returns a correction with the landmarks of `layouts.image(frame)`."""
    visible = np.full(68, VISIBLE, np.uint8)
    points = layouts.landmarks(frame)[:, :2]
    return CorrectedFace(frame, frame / 25, face, points, visible, False, image)


def source_pixels(record) -> np.ndarray:
    """Landmarks of a record in source pixels, (68, 2)."""
    return record.window.to_source(record.landmarks)[:, :2]


def test_records_contain_the_image_and_the_landmarks_of_the_frame(tmp_path):
    layouts.write_video(tmp_path / "clip.avi", 4)
    faces = [corrected(1), corrected(3), corrected(3, face=1)]
    faces[0].points[5] = np.nan
    faces[0].visible[5] = UNLABELLED
    corrections.write(str(tmp_path / "clip.corrections.csv"), faces)
    (video,) = footage.find([str(tmp_path / "clip.avi")])
    read = list(footage.read_records(video, video.faces))
    assert [(face.frame, face.face) for face, _ in read] == [(1, 0), (3, 0), (3, 1)]
    for face, record in read:
        known = face.visible > UNLABELLED
        expected = layouts.landmarks(face.frame)[known, :2]
        np.testing.assert_allclose(source_pixels(record)[known], expected, atol=1e-3)
        assert not record.has_z
        assert not np.isfinite(record.depth).any()
        # The centre of the face box is the centre of the stored image.
        box = topology.face_box(source_pixels(record))
        x, y = np.rint((box[:2] + box[2:]) / 2).astype(int)
        row, column = np.rint([y - record.window.top, x - record.window.left]) - 0.5
        pixel = record.image[int(row + 0.5), int(column + 0.5)].astype(int)
        shown = layouts.image(face.frame)[y - 2 : y + 3, x - 2 : x + 3].astype(int)
        assert np.abs(shown - pixel).sum(axis=-1).min() <= 3
    assert read[0][1].visible[5] == UNLABELLED


def test_images_of_a_folder_are_found_by_their_name(tmp_path):
    for k in range(3):
        layouts.write_image(tmp_path / f"{k}.png", k)
    # The image had another number when its face was corrected.
    moved = dataclasses.replace(corrected(2, image="2.png"), frame=0)
    corrections.write(str(tmp_path / "corrections.csv"), [moved])
    (folder,) = footage.find([str(tmp_path)])
    ((face, record),) = footage.read_records(folder, folder.faces)
    assert face.frame == 2
    expected = layouts.landmarks(2)[:, :2]
    np.testing.assert_allclose(source_pixels(record), expected, atol=1e-3)
    (tmp_path / "2.png").unlink()
    with pytest.raises(EthosError, match=r"corrections.csv: the image 2.png does not"):
        footage.find([str(tmp_path)])


def test_a_folder_is_searched_for_videos_with_corrections(tmp_path):
    for name in ("a.avi", "b.avi", "deep/c.avi"):
        layouts.write_video(tmp_path / name, 1)
    for name in ("a", "deep/c"):
        path = str(tmp_path / f"{name}.corrections.csv")
        corrections.write(path, [corrected(0)])
    paths = [str(tmp_path), str(tmp_path / "a.avi")]
    found = [video.path for video in footage.find(paths)]
    assert found == [str(tmp_path / "a.avi"), str(tmp_path / "deep" / "c.avi")]


def test_missing_files_and_frames_are_named(tmp_path):
    with pytest.raises(EthosError, match=r"none\.avi: no such file or folder"):
        footage.find([str(tmp_path / "none.avi")])
    layouts.write_video(tmp_path / "clip.avi", 2)
    for path in (tmp_path, tmp_path / "clip.avi"):
        with pytest.raises(EthosError, match=r"has no corrections \("):
            footage.find([str(path)])
    corrections.write(str(tmp_path / "clip.corrections.csv"), [corrected(3)])
    (video,) = footage.find([str(tmp_path)])
    with pytest.raises(EthosError, match=r"clip.avi: frame 3 has corrections but"):
        list(footage.read_records(video, video.faces))
