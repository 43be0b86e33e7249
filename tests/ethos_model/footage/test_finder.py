import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage import finder


def test_box_map_moves_and_scales_about_the_centre():
    box_map = finder.BoxMap(dx=0.1, dy=-0.2, width=0.5, height=2.0)
    raw = np.array([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 2.0, 2.0]])
    for box, mapped in zip(raw, box_map.to_face_box(raw), strict=True):
        x0, y0, x1, y1 = box
        width, height = x1 - x0, y1 - y0
        cx, cy = (x0 + x1) / 2 + 0.1 * width, (y0 + y1) / 2 - 0.2 * height
        expected = [
            cx - 0.25 * width,
            cy - height,
            cx + 0.25 * width,
            cy + height,
        ]
        np.testing.assert_allclose(mapped, expected)


def test_shrunk_frames_map_back_to_where_things_were():
    frame = np.zeros((600, 1600, 3), np.uint8)
    cv2.rectangle(frame, (400, 200), (799, 399), (255, 255, 255), -1)
    small, scale = finder.shrunk(frame, 640)
    assert small.shape == (240, 640, 3)
    rows, columns = np.nonzero(small[..., 0] > 127)
    # Edges, half a pixel outside of the outermost centres.
    edges = np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)
    edges += (-0.5, -0.5, 0.5, 0.5)
    np.testing.assert_allclose(
        finder.to_source(edges[None], scale)[0], [399.5, 199.5, 799.5, 399.5], atol=1e-9
    )


def test_small_frames_are_left_alone():
    frame = np.zeros((100, 120, 3), np.uint8)
    small, scale = finder.shrunk(frame, 640)
    assert small.shape == frame.shape
    assert scale == 1.0


def test_detections_come_surest_first_and_without_broken_boxes():
    raw = np.array([[0, 0, 9, 9], [1, 1, 1, 5], [0, 0, np.nan, 9], [5, 5, 9, 9]])
    found = finder._detections(raw, np.array([0.5, 0.99, 0.98, 0.9]), finder.BoxMap())
    assert [face.score for face in found] == [0.9, 0.5]


def test_unknown_detectors_are_refused(tmp_path):
    with pytest.raises(EthosError, match="mtcnn"):
        finder.make_detector("haar")
    with pytest.raises(EthosError, match="no such"):
        finder.make_detector(str(tmp_path / "missing.onnx"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(EthosError, match=r"broken\.onnx: not a YuNet model"):
        finder.make_detector(str(broken))


def test_mtcnn_finds_nothing_where_nothing_is():
    detector = finder.make_detector("mtcnn")
    rng = np.random.default_rng(0)
    for size in ((1, 1), (9, 40), (120, 160)):
        noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        assert detector.detect(noise) == []
