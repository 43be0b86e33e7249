"""Writes the tables of a video while it is processed."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, TextIO

from ethos_data.errors import EthosError, writing
from ethos_data.storage import files
from ethos_model.footage.sources.source import Damage
from ethos_model.footage.tables.columns import Row
from ethos_model.footage.tables.formats import WRITERS, Writer, json_frame
from ethos_model.footage.tables.openface import write_openface
from ethos_model.footage.tables.recording import Header, Recording
from ethos_model.footage.tracks import TrackedFace

STREAM_SUFFIX: Final = ".jsonl"
"""Suffix of tables that are written frame by frame."""

TABLE_SUFFIXES: Final = (*WRITERS, STREAM_SUFFIX)

CSV_FORMATS: Final = ("ethos", "openface")
"""Columns of CSV files: all columns of ETHOS, or those of OpenFace 2."""

STDOUT: Final = "-"
"""Name of the standard output in place of a file. It receives JSON Lines."""


def check_table(path: str) -> None:
    """Checks that a table can be written, before anything slow begins.

    Args:
      path: File to write, or `STDOUT`.

    Raises:
      EthosError: The suffix is unknown.
      ModuleNotFoundError: The package for Parquet files is not installed.
    """
    suffix = os.path.splitext(path)[1].lower()
    if path != STDOUT and suffix not in TABLE_SUFFIXES:
        *others, last = TABLE_SUFFIXES
        raise EthosError(f"{path}: tables are saved as {', '.join(others)} or {last}")
    if suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ModuleNotFoundError(name="pyarrow")


class TableWriter:
    """Writes tables, each in the format of its suffix.

    A file gets its name when it is complete. JSON Lines are written frame by frame; the
    other formats are written at the end, because their header contains the damage.

    Example:
      with TableWriter(["clip.csv"], Header("clip.mp4")) as tables:
          tables.add(0, 0.0, tracker.update(image, 0.0))
          tables.finish()
    """

    def __init__(
        self,
        paths: Sequence[str],
        header: Header | None = None,
        *,
        csv_format: str = "ethos",
    ) -> None:
        """Prepares the tables; entering the context creates the files.

        Args:
          paths: Files to write; `STDOUT` stands for JSON Lines on the standard output.
          header: Facts about the tables.
          csv_format: One of `CSV_FORMATS`.

        Raises:
          EthosError: A suffix is unknown.
          ModuleNotFoundError: The package for Parquet files is not installed.
        """
        for path in paths:
            check_table(path)
        self._paths, self._csv_format = list(paths), csv_format
        self._recording = Recording(header or Header())
        self._pending: list[tuple[str, str, Writer]] = []
        self._streams: list[JsonLines] = []

    def __enter__(self) -> TableWriter:
        # The files are created at once: a place that cannot be written is reported
        # before a long video is processed, not after it.
        with contextlib.ExitStack() as stack:
            for path in self._paths:
                if path == STDOUT:
                    self._streams.append(JsonLines(sys.stdout, "stdout"))
                    continue
                temporary = stack.enter_context(replacing(path))
                file = stack.enter_context(open(temporary, "w", encoding="utf-8"))
                suffix = os.path.splitext(path)[1].lower()
                if suffix == STREAM_SUFFIX:
                    self._streams.append(JsonLines(file, path))
                else:
                    file.close()
                    self._pending.append((path, temporary, self._writer(suffix)))
            for stream in self._streams:
                stream.start(self._recording.header)
            self._stack = stack.pop_all()
        return self

    def _writer(self, suffix: str) -> Writer:
        if suffix == ".csv" and self._csv_format == "openface":
            return write_openface
        return WRITERS[suffix]

    def add(self, index: int, timestamp: float, faces: Sequence[TrackedFace]) -> None:
        """Adds a frame.

        Args:
          index: Number of the frame, from 0.
          timestamp: Seconds since the first frame.
          faces: The faces of the frame.

        Raises:
          EthosError: A table cannot be written.
        """
        if self._pending:
            self._recording.add(index, timestamp, faces)
        for stream in self._streams:
            stream.add(index, timestamp, faces)

    def finish(self, damage: Damage | None = None, doubts: Sequence[str] = ()) -> None:
        """Writes the rest of the tables.

        Args:
          damage: What could not be read of the video.
          doubts: See `Header`.

        Raises:
          EthosError: A table cannot be written.
        """
        recording = self._recording
        recording.header = dataclasses.replace(
            recording.header, damage=damage, doubts=tuple(doubts)
        )
        for stream in self._streams:
            stream.finish(recording.header)
        recording.mark_blinks()
        for path, temporary, write in self._pending:
            with writing(path):
                write(temporary, recording)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """`files.replacing` with errors for the user.

    Raises:
      EthosError: `path` cannot be written. The text names `path` and the reason.
    """
    with writing(path), files.replacing(path) as temporary:
        yield temporary


class JsonLines:
    """JSON Lines: one object per line, which is flushed at once.

    The first object is the header, the last one contains the damage and the number of
    frames. Their "type" is "header" and "end", that of the others "frame".
    """

    def __init__(self, file: TextIO, name: str) -> None:
        """Stores where to write.

        Args:
          file: Text file to write to. It is not closed.
          name: Name of the file in error messages.
        """
        self._file, self._name = file, name
        self._frames = 0

    def start(self, header: Header) -> None:
        """Writes the header. What is known at the end only is left out."""
        facts = header.facts()
        del facts["damage"], facts["doubts"]
        self._write({"type": "header", **facts})

    def add(self, index: int, timestamp: float, faces: Sequence[TrackedFace]) -> None:
        """Writes a frame; see `TableWriter.add`."""
        rows = [Row(index, timestamp, face) for face in faces]
        frame = json_frame(index, timestamp, rows, is_complete=False)
        self._write({"type": "frame", **frame})
        self._frames += 1

    def finish(self, header: Header) -> None:
        """Writes the last object."""
        facts = header.facts()
        end = {name: facts[name] for name in ("damage", "doubts")}
        self._write({"type": "end", "frames": self._frames, **end})

    def _write(self, values: dict[str, Any]) -> None:
        with writing(self._name):
            self._file.write(json.dumps(values) + "\n")
            self._file.flush()
