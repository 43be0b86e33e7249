import numpy as np
import pytest

from ethos_data.topology import face_box, iou
from ethos_model.footage.tracker import FaceTracker, TrackerOptions
from tests.gui import fakes


def picture(*boxes, size=(160, 320)):
    image = np.full((*size, 3), (40, 60, 90), np.uint8)
    for box in boxes:
        fakes.draw_face(image, box)
    return image


def box_at(x, y=40, size=50):
    return np.array([x, y, x + size, y + 1.2 * size], float)


class BlindFinder(fakes.FakeFinder):
    """Sees nothing while `blind`."""

    blind = False

    def find(self, frame_rgb, regions=None):
        found = super().find(frame_rgb)
        return [] if self.blind else found


@pytest.fixture
def parts():
    predictor, detector = fakes.FakePredictor(), BlindFinder()
    return predictor, detector, FaceTracker(predictor, detector)


def test_a_face_is_followed_without_the_detector(parts):
    _, detector, tracker = parts
    for index in range(20):
        (face,) = tracker.update(picture(box_at(20 + 4 * index)), index / 25)
        raw_box = face_box(face.face.landmarks)
        assert face.id == 1
        assert not face.unsure
        assert iou(raw_box, box_at(20 + 4 * index)) > 0.8
    assert detector.calls == 1  # 0.8 s: the next look is due after one second


def test_where_there_are_too_many_the_largest_are_followed():
    class Surer(fakes.FakeFinder):  # the smaller, the surer
        def find(self, frame_rgb, regions=None):
            found = super().find(frame_rgb)
            return sorted(found, key=lambda face: float(np.ptp(face.box)))

    options = TrackerOptions(max_faces=2)
    tracker = FaceTracker(fakes.FakePredictor(), Surer(), options)
    sizes = (24, 26, 60, 28, 50)
    boxes = [box_at(40 + 160 * k, 20, size) for k, size in enumerate(sizes)]
    faces = tracker.update(picture(*boxes, size=(160, 800)), 0.0)
    widths = sorted(face.box[2] - face.box[0] for face in faces)
    np.testing.assert_allclose(widths, (50, 60), atol=2)


def test_landmarks_follow_without_lag_when_smoothing_is_off():
    tracker = FaceTracker(
        fakes.FakePredictor(), fakes.FakeFinder(), TrackerOptions(smoothing=None)
    )
    for index in range(10):
        (face,) = tracker.update(picture(box_at(20 + 8 * index)), index / 25)
        np.testing.assert_allclose(face.box, box_at(20 + 8 * index), atol=1.1)


def test_the_detector_is_asked_at_intervals(parts):
    _, detector, tracker = parts
    for index in range(76):  # three seconds
        tracker.update(picture(box_at(60)), index / 25)
    assert detector.calls == 4


def test_points_vanish_with_the_face_and_come_back(parts):
    _, _, tracker = parts
    reported = []
    for index in range(30):
        boxes = [] if 10 <= index < 20 else [box_at(60)]
        reported.append(len(tracker.update(picture(*boxes), index / 25)))
    assert reported == [1] * 10 + [0] * 10 + [1] * 10


def test_a_face_that_leaves_the_frame_is_given_up(parts):
    _, _, tracker = parts
    seen = [
        len(tracker.update(picture(box_at(200 + 10 * index)), index / 25))
        for index in range(20)
    ]
    assert seen[0] == 1
    assert seen[-1] == 0


def test_a_cut_starts_anew(parts):
    _, _, tracker = parts
    (first,) = tracker.update(picture(box_at(20)), 0.0)
    other = np.full((160, 320, 3), 200, np.uint8)
    other[:, ::40] = 0
    other[:80] //= 3
    fakes.draw_face(other, box_at(220))
    (second,) = tracker.update(other, 0.04)
    assert second.id != first.id
    assert iou(second.box, box_at(220)) > 0.9


def test_a_cut_in_a_dark_video_gives_a_new_id(parts):
    _, _, tracker = parts
    (first,) = tracker.update(picture(box_at(120)) // 12, 0.0)
    other = np.full((160, 320, 3), 200, np.uint8)
    other[:, ::40] = 0
    other[:80] //= 3
    fakes.draw_face(other, box_at(120))
    (second,) = tracker.update(other // 12, 0.04)
    assert second.id != first.id


def test_a_light_that_is_switched_on_is_no_cut(parts):
    _, _, tracker = parts
    frame = picture(box_at(120))
    (first,) = tracker.update(frame, 0.0)
    brighter = np.clip(frame.astype(int) + 40, 0, 255).astype(np.uint8)
    (second,) = tracker.update(brighter, 0.04)
    assert second.id == first.id


def test_a_jump_in_time_starts_anew(parts):
    _, detector, tracker = parts
    tracker.update(picture(box_at(20)), 5.0)
    tracker.update(picture(box_at(20)), 2.0)
    tracker.update(picture(box_at(20)), 9.0)
    assert detector.calls == 3


def test_two_faces_cross_and_stay_two(parts):
    _, _, tracker = parts
    for index in range(50):
        # They pass at some distance in height, so that both stay visible.
        left = box_at(10 + 5 * index, y=4, size=48)
        right = box_at(260 - 5 * index, y=92, size=48)
        faces = tracker.update(picture(left, right), index / 25)
        by_id = {face.id: face for face in faces}
        assert sorted(by_id) == [1, 2]
        assert iou(by_id[1].box, left) > 0.5 or iou(by_id[2].box, left) > 0.5
    # Nobody changed places.
    assert abs(by_id[1].box[0] - by_id[2].box[0]) > 150


def test_a_second_face_is_found_at_the_next_look(parts):
    _, _, tracker = parts
    counts = []
    for index in range(40):
        boxes = [box_at(20)] + ([box_at(200)] if index >= 5 else [])
        counts.append(len(tracker.update(picture(*boxes), index / 25)))
    assert counts[5] == 1
    assert counts[-1] == 2


def test_a_blind_detector_alone_does_not_end_a_sure_track_at_once(parts):
    _, detector, tracker = parts
    tracker.update(picture(box_at(60)), 0.0)
    detector.blind = True
    faces = [tracker.update(picture(box_at(60)), t / 5) for t in range(1, 60)]
    states = [(len(f), f[0].unsure if f else None) for f in faces]
    assert states[10] == (1, False)
    assert states[20] == (1, True)  # asked three times, not found: said to be unsure
    assert states[48] == (1, True)
    assert states[-1] == (0, None)  # and after ten seconds given up


def test_a_doubtful_face_needs_the_detectors_word(parts):
    predictor, detector, tracker = parts
    predictor.sigma = 0.06
    (face,) = tracker.update(picture(box_at(60)), 0.0)
    assert face.unsure
    detector.blind = True
    counts = [len(tracker.update(picture(box_at(60)), t / 25)) for t in range(1, 60)]
    assert counts[20] == 1
    # First asked after 1 s, then every 0.2 s: three times in vain.
    assert 1.3 * 25 < sum(counts) < 1.6 * 25


def test_a_long_search_saves_its_breath(parts):
    _, detector, tracker = parts
    for index in range(25):
        tracker.update(picture(), index / 25)
    assert detector.calls == 25
    for index in range(25, 76):
        tracker.update(picture(), index / 25)
    assert 40 <= detector.calls <= 48  # ten times a second


def test_a_wide_flat_drawing_is_no_face(parts):
    _, _, tracker = parts
    flat = np.array([20.0, 60, 220, 80])
    assert tracker.update(picture(flat), 0.0) == []


def test_smoothing_can_be_switched_while_it_runs(parts):
    _, _, tracker = parts
    tracker.update(picture(box_at(60)), 0.0)
    tracker.set_smoothing(None)
    (face,) = tracker.update(picture(box_at(64)), 0.04)
    np.testing.assert_allclose(face.box, box_at(64), atol=1.1)


def test_stages_are_timed(parts):
    _, _, tracker = parts
    tracker.update(picture(box_at(60)), 0.0)
    assert set(tracker.timings) == {"detect", "predict", "smooth"}
    assert tracker.timings["predict"] > 0
