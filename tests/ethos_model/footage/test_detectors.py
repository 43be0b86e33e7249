import os

import cv2
import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_data.topology import iou
from ethos_model.footage import detectors
from ethos_model.footage.reader import open_video
from gui import sample


def test_box_map_moves_and_scales_about_the_centre():
    box_map = detectors.BoxMap(dx=0.1, dy=-0.2, width=0.5, height=2.0)
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


@pytest.fixture(scope="module")
def frame():
    with open_video(sample.SAMPLE) as video:
        return video.read().image


def resized(image, width, height):
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def test_yunet_finds_the_boxes_of_libfacedetection(frame):
    image = resized(frame, 640, 352)
    boxes, scores = detectors.make_detector().detect(image)
    assert_same(boxes, scores, [(170, 17, 294, 285, 92)])


def test_yunet_finds_several_faces_of_libfacedetection(frame):
    image = np.tile(resized(frame, 160, 160), (2, 4, 1))
    boxes, scores = detectors.make_detector().detect(image)
    expected = [
        (526, 184, 76, 100, 91),
        (45, 185, 75, 99, 91),
        (46, 21, 74, 104, 91),
        (205, 185, 75, 99, 91),
        (365, 185, 75, 99, 91),
        (527, 21, 75, 104, 91),
        (206, 21, 75, 104, 91),
        (366, 21, 75, 104, 91),
    ]
    assert_same(boxes, scores, expected)


def assert_same(boxes, scores, expected):
    """Compares with x, y, width, height and score in %, which are rounded down."""
    boxes[:, 2:] -= boxes[:, :2]
    found = sorted(np.column_stack([boxes, 100 * scores]).tolist())
    difference = np.array(found) - np.array(sorted(expected))
    assert (difference > -0.01).all()
    assert (difference < 1.01).all()


def test_yunet_reads_images_of_any_size(frame):
    detector = detectors.make_detector()
    (whole,), _ = detector.detect(resized(frame, 320, 320))
    for width, height in ((319, 311), (330, 345), (321, 352)):
        (box,), _ = detector.detect(resized(frame, width, height))
        expected = whole * (width / 320, height / 320, width / 320, height / 320)
        assert iou(box, expected) > 0.85
    boxes, scores = detector.detect(np.zeros((1, 1, 3), np.uint8))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_yunet_scores_are_between_0_and_1():
    rng = np.random.default_rng(0)
    detector = detectors.make_detector()
    for _ in range(5):
        image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = np.kron(image, np.ones((20, 20, 1), np.uint8))
        boxes, scores = detector.detect(image)
        assert boxes.shape == (len(scores), 4)
        assert ((scores >= 0) & (scores <= 1)).all()


def test_cells_become_boxes():
    scores = np.zeros((3, 4), np.float32)
    scores[1, 2], scores[2, 0] = 0.9, 0.1
    cells = np.zeros((3, 4, 4), np.float32)
    cells[1, 2] = 0.25, -0.5, np.log(3), np.log(1.5)
    boxes, found = detectors.decoded(scores, cells, 8)
    # Centre (2.25, 0.5), size (3, 1.5) in cells of 8 pixels.
    np.testing.assert_allclose(boxes, [[6, -2, 30, 10]], rtol=1e-6)
    np.testing.assert_allclose(found, [0.9], rtol=1e-6)


def test_yunet_keeps_no_memory():
    image = np.zeros((360, 640, 3), np.uint8)
    detector = detectors.make_detector()
    for _ in range(5):
        detector.detect(image)
    before = resident_bytes()
    for _ in range(60):
        detector.detect(image)
    assert resident_bytes() - before < 10 * image.nbytes


def resident_bytes():
    with open("/proc/self/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_unknown_detectors_are_refused(tmp_path):
    with pytest.raises(EthosError, match="yunet"):
        detectors.make_detector("haar")
    with pytest.raises(EthosError, match="no such"):
        detectors.make_detector(str(tmp_path / "missing.onnx"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(EthosError, match=r"broken\.onnx: not a YuNet model"):
        detectors.make_detector(str(broken))
