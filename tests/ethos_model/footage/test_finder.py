import dataclasses

import cv2
import numpy as np
import pytest

from ethos_data.topology import iou
from ethos_model.footage import finder as finders
from ethos_model.footage import preprocessing, regions
from ethos_model.footage.detectors import BoxMap
from ethos_model.footage.finder import FaceFinder
from ethos_model.footage.reader import open_video
from ethos_model.footage.regions import Region
from gui.sample import SAMPLE
from tests.gui import fakes


class SkinDetector:
    """Finds drawn faces whose searched image is at least 12 pixels high.

    Attributes:
      score: Score of every detection.
      shapes: Height and width of each searched image.
    """

    name = "skin"
    box_map = BoxMap()
    min_score = 0.5

    def __init__(self, score: float = 0.9) -> None:
        self.score = score
        self.shapes: list[tuple[int, int]] = []

    def detect(self, image_rgb):
        self.shapes.append(image_rgb.shape[:2])
        boxes = [b for b in fakes.skin_boxes(image_rgb) if b[3] - b[1] >= 12]
        return np.array(boxes).reshape(-1, 4), np.full(len(boxes), self.score)


@pytest.fixture(autouse=True)
def no_change(request, monkeypatch):
    """Drawn skin is recognised by its colour, which must stay the same."""
    if not request.node.name.startswith("test_real"):
        monkeypatch.setattr(preprocessing, "stretched", lambda image, *_: image)
        monkeypatch.setattr(preprocessing, "smoothed", lambda image, *_: image)


def frame_with(*boxes, height=1080, width=1920):
    image = np.full((height, width, 3), (40, 60, 90), np.uint8)
    for box in boxes:
        fakes.draw_face(image, box)
    return image


def test_finds_small_faces_of_a_large_frame_only_in_a_thorough_search():
    small, large = (505, 300, 525, 324), (1200, 400, 1500, 760)
    frame = frame_with(small, large)
    thorough = FaceFinder(SkinDetector(), second_opinion=False).find(frame)
    assert len(thorough) == 2
    for box in (small, large):
        overlaps = [iou(face.box, np.array(box, float)) for face in thorough]
        assert max(overlaps) > 0.75
    fast = FaceFinder(SkinDetector(), search="fast", second_opinion=False)
    (face,) = fast.find(frame)
    assert iou(face.box, np.array(large, float)) > 0.9


def test_a_region_reports_boxes_in_pixels_of_the_frame():
    box = np.array([600.0, 420, 659, 499])
    frame = frame_with(box.tolist())
    finder = FaceFinder(SkinDetector(), second_opinion=False)
    (face,) = finder.find(frame, [Region(500, 300, 300, 300, 0.5)])
    # The edges of a drawn box are half a pixel outside its outermost pixel centres.
    np.testing.assert_allclose(face.box, box, atol=1.6)
    assert finder.detector.shapes == [(150, 150)]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_on_its_side_is_found_in_a_turned_search(turns):
    """The detector finds faces that are higher than wide, with a box at their top."""

    class UprightDetector(SkinDetector):
        box_map = BoxMap(dy=0.5, height=2)  # the detector's box is the upper half

        def detect(self, image_rgb):
            boxes = [
                (x0, y0, x1, (y0 + y1) / 2)
                for x0, y0, x1, y1 in fakes.skin_boxes(image_rgb)
                if y1 - y0 > x1 - x0
            ]
            return np.array(boxes, float).reshape(-1, 4), np.full(len(boxes), 0.9)

    upright = np.full((240, 200, 3), (40, 60, 90), np.uint8)
    fakes.draw_face(upright, (80, 60, 110, 120))
    frame = np.ascontiguousarray(np.rot90(upright, -turns))
    finder = FaceFinder(UprightDetector(), second_opinion=False)
    drawn = np.argwhere((frame == fakes.SKIN).all(axis=-1))
    (y0, x0), (y1, x1) = drawn.min(axis=0), drawn.max(axis=0)
    height, width = frame.shape[:2]
    (face,) = finder.find(frame, [regions.turned(height, width, turns)])
    np.testing.assert_allclose(face.box, (x0, y0, x1, y1), atol=1.6)
    assert any(iou(face.box, other.box) > 0.9 for other in finder.find(frame))


def test_a_face_cut_by_the_border_of_a_region_is_left_to_its_neighbour():
    frame = frame_with((480, 400, 540, 470))
    finder = FaceFinder(SkinDetector(), second_opinion=False)
    assert finder.find(frame, [Region(500, 300, 300, 300, 1.0)]) == []
    # The border of the frame itself is no reason to drop a face.
    assert len(finder.find(frame_with((0, 400, 60, 470)))) == 1


def test_the_score_alone_decides_without_a_second_opinion():
    frame = frame_with((300, 100, 360, 170), height=360, width=640)
    for score, count in ((0.49, 0), (0.51, 1)):
        finder = FaceFinder(SkinDetector(score), second_opinion=False)
        assert len(finder.find(frame)) == count


def test_real_upright_faces_are_found_once_without_a_second_opinion():
    with open_video(str(SAMPLE)) as source:
        frames = [source.read().image for _ in range(12)]
    finder = FaceFinder(second_opinion=False)
    assert [len(finder.find(frame)) for frame in frames] == [1] * 12


@pytest.mark.parametrize(
    ("score", "sigma", "accepted"),
    [
        (0.3, 0.06, True),
        (0.3, 0.08, False),  # beyond 0.05 + 0.08 * score
        (0.6, 0.09, True),
        (0.6, 0.10, False),
        (0.19, 0.01, False),  # too weak to be judged
        (0.9, 0.50, True),  # strong enough to be accepted without a second opinion
    ],
)
def test_the_landmark_network_judges_weak_detections(score, sigma, accepted):
    predictor = fakes.FakePredictor()
    predictor.sigma = sigma
    finder = FaceFinder(SkinDetector(score), predictor=predictor)
    frame = frame_with((300, 100, 360, 170), height=360, width=640)
    assert len(finder.find(frame)) == accepted


def test_an_upright_face_is_no_turned_face():
    """A detector that sees the face in all directions, each time in another box."""

    class Everywhere(SkinDetector):
        def detect(self, image_rgb):
            boxes, scores = super().detect(image_rgb)
            height = (boxes[:, 3] - boxes[:, 1])[:, None]
            return boxes + 0.3 * height * (0, 1, 0, 1), scores

    frame = frame_with((300, 100, 360, 170), height=360, width=640)
    finder = FaceFinder(Everywhere(0.9), predictor=fakes.FakePredictor())
    found = finder.find(frame)
    assert [detection.turns for detection in found] == [0]


def test_an_upside_down_face_is_one_face():
    """A detector that also sees it upright, more weakly and in another box."""

    class Everywhere(SkinDetector):
        def detect(self, image_rgb):
            boxes, scores = super().detect(image_rgb)
            if image_rgb[0, 0].min() > 100:  # the frame is upside down
                return boxes, scores
            height = (boxes[:, 3] - boxes[:, 1])[:, None]
            return boxes + 0.5 * height * (0, 1, 0, 1), scores - 0.05

    class UpsideDown(fakes.FakePredictor):
        def predict(self, frame_rgb, boxes):
            faces = []
            for face in super().predict(frame_rgb, boxes):
                points = face.landmarks.copy()
                middle = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
                points[:, :2] = 2 * middle - points[:, :2]
                faces.append(dataclasses.replace(face, landmarks=points))
            return faces

    frame = frame_with((300, 100, 360, 170), height=360, width=640)
    frame[-8:, -8:] = 255  # the corner that is the first when the frame is turned
    finder = FaceFinder(Everywhere(0.9), predictor=UpsideDown())
    (face,) = finder.find(frame)
    assert face.turns == 2
    assert iou(face.box, np.array([300.0, 100, 360, 170])) > 0.8


def test_one_face_that_is_seen_at_two_sizes_is_one_detection():
    frame = frame_with((300, 100, 400, 220), height=360, width=640)
    detector = SkinDetector()
    assert len(FaceFinder(detector, second_opinion=False).find(frame)) == 1
    turned = [(640, 360), (360, 640), (640, 360)]
    assert detector.shapes == [(360, 640), (180, 320), *turned]


@pytest.mark.parametrize("search", finders.SEARCHES)
@pytest.mark.parametrize(
    "size", [(0, 0), (0, 9), (1, 1), (3, 3), (9, 40), (2, 5000), (5000, 2), (120, 160)]
)
def test_real_detector_finds_nothing_in_noise_of_any_size(size, search):
    rng = np.random.default_rng(0)
    finder = FaceFinder(search=search, predictor=fakes.FakePredictor())
    for image in (
        rng.integers(0, 256, (*size, 3), dtype=np.uint8),
        np.zeros((*size, 3), np.uint8),
        np.full((*size, 3), 255, np.uint8),
    ):
        assert finder.find(image) == []


def test_real_detector_survives_a_huge_frame():
    frame = np.zeros((9000, 12000, 3), np.uint8)
    assert FaceFinder(search="fast", predictor=fakes.FakePredictor()).find(frame) == []


def test_a_frame_that_is_not_rgb_is_an_error():
    finder = FaceFinder(SkinDetector())
    for frame in (np.zeros((90, 90), np.uint8), np.zeros((90, 90, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            finder.find(frame)


def test_an_unknown_search_is_an_error():
    with pytest.raises(ValueError, match="search"):
        FaceFinder(SkinDetector(), search="deep")


@pytest.fixture(scope="module")
def sample_frames():
    with open_video(SAMPLE) as source:
        frames = list(iter(source.read, None))
    return [frame.image for frame in frames[10::50]]


def darkened(frame, gain, seed):
    """A frame at a part of its light: shot noise and read noise as `LowLight` has."""
    signal = frame * np.float32(gain)
    sigma = np.sqrt(signal * (255 / 1000) + 1.2**2)
    noise = np.random.default_rng(seed).standard_normal(frame.shape)
    return np.clip(np.rint(signal + sigma * noise), 0, 255).astype(np.uint8)


def test_real_detector_finds_faces_in_bright_and_very_dark_frames(sample_frames):
    finder = FaceFinder()
    for seed, frame in enumerate(sample_frames):
        (bright,) = finder.find(frame)
        (dark,) = finder.find(darkened(frame, 0.05, seed))
        assert iou(bright.box, dark.box) > 0.6


def test_real_detector_finds_a_dark_face_beside_a_lamp(sample_frames):
    finder = FaceFinder()
    for seed, frame in enumerate(sample_frames):
        dark = darkened(frame, 0.08, seed)
        cv2.circle(dark, (20, 20), 18, (255, 250, 240), -1)
        assert len(finder.find(dark)) == 1


def test_real_detector_finds_a_small_face_on_a_flat_background(sample_frames):
    # A plain percentile stretch saturates the face, because it is a small part.
    frame = np.full((540, 960, 3), (150, 165, 150), np.uint8)
    face = cv2.resize(sample_frames[0], (64, 64), interpolation=cv2.INTER_AREA)
    frame[300:364, 500:564] = face
    assert len(FaceFinder().find(frame)) == 1
