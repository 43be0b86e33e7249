"""Edits the faces of one frame. The window shows its state and calls its methods.

Nothing here knows about Tk. Each finished change is put into the corrections, which
saves it at once.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from ethos_data.topology import NUM_LANDMARKS, face_box, iou
from ethos_data.visibility import HIDDEN, VISIBLE
from gui.correction import editing
from gui.correction.document import Key, corrected_face
from gui.correction.edited_face import EditedFace, faces_of, unlike
from gui.correction.groups import EDITED, group_of, landmark_name
from gui.correction.matching import SAME_FACE
from gui.correction.overlay import PREDICTED
from gui.correction.session import Corrections
from gui.viewer.view import View

PAUSE: Final = 1.0
"""Key presses with a longer pause between them, in seconds, are separate steps of
undo."""

SELECT_FIRST: Final = "Select a landmark first: click it or press Tab."
SELECT_PART: Final = "Select a part first: Shift+click, or the keys 0 to 7."
NO_FACE: Final = "There is no face here. Press A and drag a box around one."


class Editor:
    """The faces of the frame on the screen, and what is selected.

    Attributes:
      faces: The faces, from left to right.
      current: Index in `faces` of the face that is edited.
      selected: Indices of the selected landmarks; () for none.
    """

    def __init__(self, corrections: Corrections, on_change: Callable[[], None]) -> None:
        """Starts without a frame.

        Args:
          corrections: The corrections of the current video.
          on_change: Called after each change of the corrections.
        """
        self._corrections, self._on_change = corrections, on_change
        self._view: View | None = None
        self._dragged: EditedFace | None = None  # the face before the drag
        self._pressed: int | None = None  # to be selected if the mouse does not move
        self._series = (0.0, 0)  # time and number of the last key press
        self.faces: list[EditedFace] = []
        self.current = 0
        self.selected: tuple[int, ...] = ()

    @property
    def view(self) -> View | None:
        """The frame on the screen."""
        return self._view

    @property
    def frame(self) -> int:
        """Number of the frame; -1 without a frame."""
        return -1 if self._view is None else self._view.frame.index

    @property
    def face(self) -> EditedFace | None:
        """The face that is edited; None without a face."""
        return self.faces[self.current] if self.faces else None

    @property
    def dragging(self) -> bool:
        """Whether a drag is not finished."""
        return self._dragged is not None

    def show(self, view: View | None) -> None:
        """Takes a processed frame. The same person stays the current face."""
        self._view, self._dragged = view, None
        self.refresh()

    def refresh(self) -> None:
        """Takes the corrections of the frame again."""
        before = self.face
        self.faces = (
            []
            if self._view is None
            else faces_of(self._view, self._corrections.document)
        )
        self.current = 0
        if before is not None and self.faces:
            self.current = min(
                range(len(self.faces)), key=lambda k: unlike(self.faces[k], before)
            )

    def choose(self, number: int | None) -> None:
        """Edits the face with a number of the tracker, if there is one."""
        for index, face in enumerate(self.faces):
            if number is not None and face.number == number:
                self.current = index

    def choose_at(self, box: np.ndarray) -> None:
        """Edits the face that overlaps a box (4,) most, if one does."""
        overlaps = [float(iou(face.box, box)) for face in self.faces]
        if overlaps and max(overlaps) > 0:
            self.current = int(np.argmax(overlaps))

    def text(self) -> str:
        """What is selected and where it is from, for the user."""
        face, selected = self.face, self.selected
        if face is None:
            return "" if self._view is None else NO_FACE
        words = [face.origin]
        if len(selected) == 1:
            x, y = face.points[selected[0]]
            words.insert(0, f"{landmark_name(selected[0])}: x {x:.1f}, y {y:.1f}")
            if face.visible[selected[0]] == HIDDEN:
                words.append("hidden")
        elif self.part is not None:
            words.insert(0, EDITED[self.part].name)
        return " · ".join(words)

    # Selection.

    def select(self, landmark: int | None) -> None:
        """Selects one landmark; None for none."""
        self.selected = () if landmark is None else (landmark,)

    def select_part(self, number: int) -> None:
        """Selects a part of `EDITED`."""
        self.selected = EDITED[number].landmarks

    @property
    def part(self) -> int | None:
        """Number of the selected part of `EDITED`; None for a single landmark."""
        return next(
            (k for k, part in enumerate(EDITED) if part.landmarks == self.selected),
            None,
        )

    def step(self, count: int) -> None:
        """Selects the next (+1) or the previous (-1) landmark."""
        first = self.selected[0] if self.selected else (-1 if count > 0 else 0)
        self.select((first + count) % NUM_LANDMARKS)

    def press(self, landmark: int | None, whole_part: bool) -> None:
        """The mouse is pressed on a landmark, or beside all landmarks.

        Args:
          landmark: The landmark.
          whole_part: Whether to select the part that contains it.
        """
        if landmark is None:
            return
        if whole_part:
            self.select_part(group_of(landmark))
        elif landmark not in self.selected:
            self.select(landmark)
        self._dragged, self._pressed = self.face, None
        if not whole_part and len(self.selected) > 1:
            self._pressed = landmark

    def next_face(self, count: int) -> None:
        """Edits the next (+1) or the previous (-1) face of the frame."""
        if self.faces:
            self.current = (self.current + count) % len(self.faces)
            self._dragged = None

    # Changes. Those that can fail return a sentence for the user, or "".

    def drag(self, way: np.ndarray) -> None:
        """Moves the selection to the mouse.

        Args:
          way: (2,), distance since the mouse was pressed, in source pixels.
        """
        start = self._dragged
        if start is not None and self.faces:
            points = editing.move(start.points, np.array(self.selected, int), way)
            self.faces[self.current] = dataclasses.replace(start, points=points)

    def release(self, moved: bool) -> None:
        """Finishes a drag. A click without a movement selects the landmark."""
        start, self._dragged = self._dragged, None
        if start is None or self.face is None:
            return
        if moved:
            self._commit(self.face)
        elif self._pressed is not None:  # a click into the selected part
            self.select(self._pressed)

    def nudge(self, dx: float, dy: float) -> str:
        """Moves the selection, in source pixels."""
        face = self.face
        if face is None:
            return NO_FACE
        if not self.selected:
            return SELECT_FIRST
        points = editing.move(
            face.points, np.array(self.selected), np.array([dx, dy], np.float64)
        )
        self._commit(dataclasses.replace(face, points=points), tag="move")
        return ""

    def turn(self, degrees: float) -> str:
        """Rotates the selected part, clockwise for a positive angle."""
        return self._change_part("turn", degrees, editing.rotate)

    def scale(self, factor: float) -> str:
        """Scales the selected part."""
        return self._change_part("scale", factor, editing.scale)

    def _change_part(
        self,
        tag: str,
        amount: float,
        change: Callable[[np.ndarray, np.ndarray, float], np.ndarray],
    ) -> str:
        face = self.face
        if face is None:
            return NO_FACE
        if len(self.selected) < 2:
            return SELECT_PART
        points = change(face.points, np.array(self.selected), amount)
        self._commit(dataclasses.replace(face, points=points), tag=tag)
        return ""

    def mirror(self, wrong: str | None = None) -> str:
        """Replaces one half of the face by the mirrored other half.

        Args:
          wrong: "right" or "left"; None for the half with the selected landmark.
        """
        face = self.face
        if face is None:
            return NO_FACE
        if wrong is None and len(self.selected) == 1:
            wrong = editing.side_of(self.selected[0])
        if wrong is None:
            return "Select a landmark of the half that is wrong."
        points = editing.mirror(face.points, wrong, face.z)
        self._commit(dataclasses.replace(face, points=points))
        return ""

    def toggle_visible(self) -> str:
        """Marks the selected landmarks as hidden, or as visible if all are hidden.

        Landmarks without a position stay without a label.
        """
        face = self.face
        if face is None:
            return NO_FACE
        selected = np.array(self.selected, int)
        chosen = selected[np.isfinite(face.points[selected]).all(axis=1)]
        if not len(chosen):
            return SELECT_FIRST
        visible = face.visible.copy()
        is_hidden = (visible[chosen] == HIDDEN).all()
        visible[chosen] = VISIBLE if is_hidden else HIDDEN
        self._commit(dataclasses.replace(face, visible=visible))
        return ""

    def keep(self) -> str:
        """Takes the landmarks as they are: the user has checked them."""
        if self.face is None:
            return NO_FACE
        self._commit(self.face)
        return ""

    def add(self, points: np.ndarray) -> None:
        """Adds a face that the tracker did not find, and edits it.

        A face that is at this place already gets the new landmarks.

        Args:
          points: (68, 2), in source pixels.
        """
        overlaps = [float(iou(face.box, face_box(points))) for face in self.faces]
        if overlaps and max(overlaps) >= SAME_FACE:
            self.current = int(np.argmax(overlaps))
            face = self.faces[self.current]
            self._commit(dataclasses.replace(face, points=points))
            return
        visible = np.full(NUM_LANDMARKS, VISIBLE, np.uint8)
        person = self._corrections.people.new_person(self.frame)
        face = EditedFace(points, visible, None, PREDICTED, person, None)
        self.faces.append(face)
        self.current = len(self.faces) - 1
        self._commit(face)

    def replace(self, person: int, points: np.ndarray, added: np.ndarray) -> None:
        """Replaces the landmarks of an added face by the model's prediction.

        Nothing is done if the user has changed the face meanwhile.

        Args:
          person: Number of the person.
          points: (68, 2), the prediction, in source pixels.
          added: (68, 2), the landmarks that `add` received.
        """
        face = self.face
        if face is None or face.person != person:
            return
        if np.array_equal(face.points, added):
            self._commit(dataclasses.replace(face, points=points), tag="add")

    def remove(self) -> str:
        """Removes the correction of the face. The model's landmarks are shown again."""
        face = self.face
        if face is None:
            return NO_FACE
        if face.person is None or not self._corrections.remove(self.frame, face.person):
            return "This face has no correction."
        self._changed()
        return ""

    def undo(self) -> Key | None:
        """Undoes the last change of any frame. Returns the face that changed."""
        return self._changed_by(self._corrections.undo())

    def redo(self) -> Key | None:
        """Repeats the change that was undone. Returns the face that changed."""
        return self._changed_by(self._corrections.redo())

    def _changed_by(self, key: Key | None) -> Key | None:
        if key is not None:
            self._changed()
            for index, face in enumerate(self.faces):
                if key == (self.frame, face.person):
                    self.current = index
        return key

    def _changed(self) -> None:
        self._dragged = None
        self.refresh()
        self._on_change()

    def _commit(self, face: EditedFace, tag: str = "") -> None:
        """Puts a face into the corrections."""
        assert self._view is not None
        frame, corrections = self._view.frame, self._corrections
        person = face.person
        if person is None:
            assert face.number is not None
            person = corrections.people.person(face.number, frame.index, face.box)
        corrections.put(
            corrected_face(
                frame.index,
                0.0 if corrections.unrelated else frame.timestamp,
                person,
                face.points,
                face.visible,
                corrections.stored.image(frame.index),
            ),
            self._series_tag(tag, person) if tag else "",
        )
        self.faces[self.current] = dataclasses.replace(face, person=person)
        self._changed()

    def _series_tag(self, tag: str, person: int) -> str:
        """The same text for key presses that follow each other quickly."""
        now = time.monotonic()
        then, number = self._series
        self._series = (now, number + (now - then > PAUSE))
        return f"{tag} {self._series[1]} {person} {self.selected}"
