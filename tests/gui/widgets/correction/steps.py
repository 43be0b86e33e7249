"""Drives the correction mode with synthetic mouse and keys."""

import numpy as np

from ethos_data.corpora import corrections


class Mode:
    """Drives the correction mode of a viewer."""

    def __init__(self, drive):
        self.drive = drive
        self.mode = drive.viewer.correction
        self.editor = self.mode.editor
        self.canvas = self.mode.panel.canvas

    def open(self):
        self.drive.key("<c>")
        assert self.mode.is_open
        self.drive.until(lambda: min(self.canvas.extent) > 100)
        self.drive.until(lambda: self.editor.face is not None)
        self.drive.key("<f>")

    def place(self, landmark):
        """Place of a handle in the canvas, in whole pixels."""
        place = self.canvas.zoom.to_screen(self.editor.face.points[landmark])
        return tuple(round(float(v)) for v in place)

    def drag(self, landmark, dx, dy):
        """Drags a handle. Returns the way in source pixels."""
        x, y = self.place(landmark)
        self.drive.drag(self.canvas, (x, y), (x + dx, y + dy))
        return np.array([dx, dy]) / self.canvas.zoom.scale

    def saved(self):
        """The content of the file, after everything is saved."""
        document = self.mode.corrections
        self.drive.until(lambda: document.saver.saved)
        return corrections.read(document.path)

    def click(self, landmark):
        """Clicks a handle."""
        place = self.place(landmark)
        self.drive.drag(self.canvas, place, place)
