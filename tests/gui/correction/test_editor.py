import numpy as np
import pytest

from ethos_data.corpora.corrections import read
from ethos_data.visibility import HIDDEN, VISIBLE
from ethos_model.footage.reader import Frame, Info
from ethos_model.footage.tracks import TrackedFace
from gui.correction.document import corrected_face
from gui.correction.editor import NO_FACE, SELECT_FIRST, SELECT_PART, Editor
from gui.correction.session import Corrections
from gui.viewer.engine import READY
from gui.viewer.view import View
from tests.gui import fakes

LEFT, RIGHT = (60, 40, 110, 100), (150, 40, 200, 100)


def view(index=3, boxes=(LEFT, RIGHT), **fields):
    """A frame with drawn faces, numbered from 1."""
    image = np.zeros((160, 260, 3), np.uint8)
    for box in boxes:
        fakes.draw_face(image, box)
    found = fakes.FakePredictor().predict(image, [np.array(b, float) for b in boxes])
    faces = [
        TrackedFace(number, face, unsure=False, score=1.0)
        for number, face in enumerate(found, start=1)
    ]
    frame = Frame(image, index, index / 25)
    return View(frame, image, faces, [], False, READY, {}, 0.0, video=1, **fields)


@pytest.fixture
def corrections(tmp_path):
    path = tmp_path / "clip.avi"
    path.write_bytes(b"")
    corrections = Corrections()
    corrections.open(Info(str(path), (260, 160), 25.0, 60), 1)
    yield corrections
    corrections.close()


@pytest.fixture
def editor(corrections):
    editor = Editor(corrections, lambda: None)
    editor.show(view())
    return editor


def test_the_first_face_is_the_one_at_the_left(editor):
    assert [face.origin for face in editor.faces] == ["predicted", "predicted"]
    assert editor.face.box[0] == pytest.approx(60, abs=1)
    editor.next_face(1)
    assert editor.face.box[0] == pytest.approx(150, abs=1)
    editor.next_face(1)
    assert editor.face.box[0] == pytest.approx(60, abs=1)


def test_keys_move_the_selected_landmark(editor, corrections):
    before = editor.face.points[36].copy()
    assert editor.nudge(0.1, 0.0) == SELECT_FIRST
    editor.select(36)
    for _ in range(3):
        assert editor.nudge(0.1, 0.0) == ""
    moved = corrections.document.get(3, 1)
    assert np.allclose(moved.points[36] - before, (0.3, 0.0))
    assert np.allclose(moved.points[37], editor.faces[0].points[37])
    assert moved.timestamp == pytest.approx(0.12)
    assert editor.face.origin == "corrected"
    assert editor.undo() == (3, 1)  # the three presses are one step
    assert editor.face.origin == "predicted"
    assert np.allclose(editor.face.points[36], before)
    assert editor.undo() is None
    assert editor.redo() == (3, 1)
    assert np.allclose(editor.face.points[36] - before, (0.3, 0.0))


def test_a_drag_is_one_change_and_follows_the_mouse(editor, corrections):
    start = editor.face.points[10].copy()
    editor.press(10, False)
    editor.drag(np.array([3.0, 1.0]))
    editor.drag(np.array([5.0, 2.0]))
    assert corrections.document.faces() == []
    editor.release(True)
    assert np.allclose(corrections.document.get(3, 1).points[10] - start, (5, 2))
    editor.undo()
    assert corrections.document.faces() == []


def test_a_part_is_moved_turned_and_scaled_together(editor):
    editor.select(40)
    assert editor.turn(1.0) == SELECT_PART
    editor.press(40, True)  # Shift+click
    editor.release(False)
    assert editor.selected == tuple(range(36, 42))
    before = editor.face.points.copy()
    editor.press(37, False)
    editor.drag(np.array([0.0, 4.0]))
    editor.release(True)
    assert np.allclose(editor.face.points[36:42] - before[36:42], (0, 4))
    assert np.allclose(editor.face.points[42:48], before[42:48])
    editor.scale(2.0)
    extent = np.ptp(editor.face.points[36:42], axis=0)
    assert np.allclose(extent, 2 * np.ptp(before[36:42], axis=0))
    editor.turn(90.0)
    assert np.allclose(np.ptp(editor.face.points[36:42], axis=0), extent[::-1])


def test_a_click_into_a_selected_part_selects_the_landmark(editor):
    editor.select_part(7)
    editor.press(50, False)
    assert len(editor.selected) == 20
    editor.release(False)
    assert editor.selected == (50,)


def test_tab_selects_the_landmarks_in_order(editor):
    editor.step(1)
    assert editor.selected == (0,)
    editor.step(-1)
    assert editor.selected == (67,)


def test_mirror_replaces_the_half_of_the_selected_landmark(editor):
    perfect = editor.face.points.copy()
    editor.select(36)
    editor.nudge(5.0, 3.0)
    assert editor.mirror() == ""
    # The drawn face is symmetric.
    assert np.abs(editor.face.points - perfect).max() < 0.05
    editor.select(8)
    assert "half" in editor.mirror()


def test_landmarks_are_hidden_and_visible_again(editor, corrections):
    before = editor.face.visible
    editor.select_part(5)
    editor.toggle_visible()
    visible = corrections.document.get(3, 1).visible
    assert (visible[36:42] == HIDDEN).all()
    assert (np.delete(visible - before, range(36, 42)) == 0).all()
    editor.toggle_visible()
    assert (corrections.document.get(3, 1).visible == before).all()


def test_landmarks_without_a_position_get_no_label(corrections):
    """The file could not be read otherwise."""
    points = fakes.template()[:, :2] * (50, 60) + (60, 40)
    points[[8, 36, 37]] = np.nan
    visible = np.where(np.isfinite(points).all(axis=1), VISIBLE, 0)
    corrections.put(corrected_face(3, 0.12, 1, points, visible))
    editor = Editor(corrections, lambda: None)
    editor.show(view(boxes=(LEFT,)))
    editor.select(36)
    assert editor.toggle_visible() == SELECT_FIRST
    editor.select_part(5)
    for change in (
        editor.toggle_visible,
        lambda: editor.turn(5.0),
        lambda: editor.scale(1.1),
        lambda: editor.mirror("left"),
    ):
        assert change() == ""
        face = corrections.document.get(3, 1)
        assert np.isfinite(face.points).all(axis=1).sum() >= 65
        assert (face.visible[[8, 36, 37]] == 0).all()
        assert corrections.saver.finish() == ""
        assert len(read(corrections.path)) == 1
    assert (face.visible[38:42] == HIDDEN).all()


def test_the_model_says_which_landmarks_are_hidden(editor):
    shown = editor.view.faces[0].face.visible >= 0.5
    assert not shown.all()
    assert np.array_equal(editor.face.visible, np.where(shown, VISIBLE, HIDDEN))


def test_the_same_person_stays_the_current_face(editor):
    editor.next_face(1)
    editor.keep()
    editor.show(view(4))
    assert editor.face.box[0] == pytest.approx(150, abs=1)


def test_people_keep_their_numbers_in_the_next_frame(editor, corrections):
    editor.next_face(1)
    editor.keep()
    editor.show(view(9))
    editor.keep()
    keys = [(face.frame, face.face) for face in corrections.document.faces()]
    assert keys == [(3, 2), (9, 2)]


def test_a_face_is_added_and_removed(editor, corrections):
    points = fakes.template()[:, :2] * 30 + (10, 10)
    editor.add(points)
    assert len(editor.faces) == 3
    assert editor.face.box[0] == pytest.approx(10)
    (added,) = corrections.document.faces()
    assert added.face == 1
    assert editor.remove() == ""
    assert len(editor.faces) == 2
    assert "no correction" in editor.remove()
    editor.undo()
    assert editor.face.box[0] == pytest.approx(10)


def test_a_box_around_a_known_face_replaces_its_landmarks(editor, corrections):
    points = fakes.template()[:, :2] * (54, 58) + (148, 41)
    editor.add(points)
    assert len(editor.faces) == 2
    (replaced,) = corrections.document.faces()
    assert replaced.face == 2  # the number of the tracked face
    assert np.allclose(replaced.points, points)


def test_a_prediction_replaces_an_added_face_unless_the_user_has_moved_it(editor):
    points = fakes.template()[:, :2] * 30 + (10, 10)
    editor.add(points)
    person = editor.face.person
    editor.select(5)
    editor.nudge(1.0, 0.0)
    editor.replace(person, points + 3, points)
    assert editor.face.points[5, 0] == pytest.approx(points[5, 0] + 1)
    editor.undo()
    editor.undo()
    editor.add(points)
    editor.replace(editor.face.person, points + 3, points)
    assert np.allclose(editor.face.points, points + 3)


def test_without_a_face_a_sentence_says_what_to_do(editor):
    editor.show(view(5, boxes=()))
    for change in (editor.keep, editor.remove, editor.mirror, editor.toggle_visible):
        assert change() == NO_FACE
    assert editor.text() == NO_FACE


def test_the_text_names_the_landmark(editor):
    editor.select(45)
    assert editor.text().startswith("45, left eye, outer corner: x ")
    assert editor.text().endswith("predicted")
    editor.select_part(1)
    assert editor.text() == "Outline · predicted"


def test_the_view_shows_corrections_in_place_of_the_models_landmarks(
    editor, corrections
):
    editor.select_part(0)
    editor.nudge(2.0, 1.0)
    editor.add(fakes.template()[:, :2] * 30 + (10, 10))
    plain = view()
    shown = corrections.apply(plain)
    assert shown.marks == {1: "corrected", 3: "corrected"}
    assert shown.found == plain.faces
    by_id = {face.id: face for face in shown.faces}
    moved = by_id[1].face.landmarks - plain.faces[0].face.landmarks
    assert np.allclose(moved[:, :2], (2, 1), atol=1e-4)
    assert np.allclose(moved[:, 2], 0, atol=1e-3)
    assert by_id[1].measures is not None
    assert by_id[3].box[0] == pytest.approx(10)
    assert by_id[3].face.depth.size == 0
    assert corrections.apply(view(9)).marks == {}


def test_a_live_source_cannot_be_corrected(corrections):
    corrections.open(Info("camera:0", (8, 8), 25.0, None, live=True), 2)
    assert "Live video" in corrections.problem
    assert corrections.path == ""


def test_a_damaged_file_is_reported_and_not_replaced(tmp_path):
    (tmp_path / "clip.avi").write_bytes(b"")
    (tmp_path / "clip.corrections.csv").write_text("nonsense\n")
    corrections = Corrections()
    corrections.open(Info(str(tmp_path / "clip.avi"), (8, 8), 25.0, 3), 1)
    assert "clip.corrections.csv" in corrections.problem
    corrections.close()
    assert (tmp_path / "clip.corrections.csv").read_text() == "nonsense\n"
