"""The files that are written for one annotated video."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from ethos_model.footage.fusion.people import Portrait
from ethos_model.footage.osc import OscSender
from ethos_model.footage.reader import Damage, Frame, Info
from ethos_model.footage.tables.recording import Header
from ethos_model.footage.tables.writer import TableWriter
from ethos_model.footage.tracks import TrackedFace
from ethos_model.footage.writer import VideoRecorder
from gui.drawing import export
from gui.drawing.portraits import save_portraits
from gui.jobs import AnnotationJob


class Outputs:
    """The annotated video, the stills and the tables of one job.

    Example:
      with Outputs(job, source.info, model="mine") as outputs:
          outputs.write(frame, faces, picture, is_still=False)
          outputs.finish(source.damage)
    """

    def __init__(
        self,
        job: AnnotationJob,
        info: Info,
        *,
        model: str = "",
        mesh_format: str = "ply",
        csv_format: str = "ethos",
        comment: str = "",
    ) -> None:
        """Prepares the outputs; entering the context opens them.

        Args:
          job: The files to write.
          info: Properties of the video.
          model: Name of the model, for the tables and stills.
          mesh_format: "ply" or "obj".
          csv_format: Columns of CSV tables; see `TableWriter`.
          comment: Comment in the header of the annotated video.
        """
        self._job, self._info = job, info
        self._model, self._mesh_format = model, mesh_format
        self._comment = comment
        header = Header(job.video, model, info.size)
        self._tables = TableWriter(job.tables, header, csv_format=csv_format)
        self._recorder: VideoRecorder | None = None
        self._stills: str | None = None
        self._portraits: str | None = None
        self._sender: OscSender | None = None

    def __enter__(self) -> Outputs:
        # All outputs are opened before the first frame: a place that cannot be written
        # is reported now and not after hours.
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._tables)
            if self._job.send is not None:
                self._sender = stack.enter_context(OscSender(self._job.send))
            self._pictures = stack.enter_context(contextlib.ExitStack())
            if self._job.output is not None:
                has_sound = not self._info.live and os.path.isfile(self._info.path)
                recorder = VideoRecorder(
                    self._job.output,
                    self._info.fps,
                    sound_of=self._info if has_sound else None,
                    comment=self._comment,
                )
                self._recorder = self._pictures.enter_context(recorder)
            if self._job.stills is not None:
                facts = {"video": self._job.video, "model": self._model}
                stills = export.replacing_directory(
                    self._job.stills, export.STILLS, facts
                )
                self._stills = self._pictures.enter_context(stills)
            if self._job.portraits is not None:
                facts = {"video": self._job.video, "model": self._model}
                portraits = export.replacing_directory(
                    self._job.portraits, export.PORTRAITS, facts
                )
                self._portraits = self._pictures.enter_context(portraits)
            self._stack = stack.pop_all()
        return self

    @property
    def has_video(self) -> bool:
        """Whether each frame needs a picture."""
        return self._recorder is not None

    @property
    def needs_measures(self) -> bool:
        """Whether the faces must be measured."""
        has_portraits = self.has_portraits  # the quality chooses the best frame
        return bool(self._job.tables) or self._job.send is not None or has_portraits

    @property
    def has_pictures(self) -> bool:
        """Whether some frames need a picture."""
        return self.has_video or self.has_stills

    @property
    def has_stills(self) -> bool:
        """Whether some frames need a picture and the reconstructions of the faces."""
        return self._stills is not None

    @property
    def has_portraits(self) -> bool:
        """Whether the best image of each person is saved."""
        return self._portraits is not None

    def write(
        self,
        frame: Frame,
        faces: Sequence[TrackedFace],
        picture: np.ndarray | None,
        *,
        is_still: bool,
    ) -> None:
        """Takes the next frame.

        Args:
          frame: The frame as the model received it.
          faces: The faces in it.
          picture: uint8 (H, W, 3) RGB, the annotated frame, if it is needed.
          is_still: Whether to save the frame as a still.

        Raises:
          EthosError: An output cannot be written.
        """
        self._tables.add(frame.index, frame.timestamp, faces)
        if self._sender is not None:
            self._sender.send(frame.index, frame.timestamp, frame.image, faces)
        if picture is None:
            return
        if self._recorder is not None:
            self._recorder.write(picture, frame.timestamp)
        if self._stills is not None and is_still:
            stem = os.path.join(self._stills, f"{frame.index:06d}")
            export.save_png(f"{stem}.png", picture)
            for face in faces:
                export.save_depth_png(f"{stem}_face{face.id}_depth.png", face.face)
                mesh = f"{stem}_face{face.id}.{self._mesh_format}"
                export.save_mesh(mesh, face.face, frame.image)

    def write_portraits(self, portraits: Sequence[Portrait]) -> None:
        """Takes the best image of each person, after the last frame.

        Raises:
          EthosError: An output cannot be written.
        """
        if self._portraits is not None:
            facts = {"video": self._job.video, "model": self._model}
            save_portraits(self._portraits, portraits, facts, self._info.fps)

    def finish(self, damage: Damage | None, doubts: Sequence[str] = ()) -> None:
        """Completes the outputs after the last frame.

        Args:
          damage: What could not be read of the video, for the tables.
          doubts: Frames in which a face may not be hidden, for the tables.

        Raises:
          EthosError: An output cannot be written. If it is a table, the video and the
            stills are kept.
        """
        self._pictures.close()
        self._tables.finish(damage, doubts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)
