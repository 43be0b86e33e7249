"""Plans which videos to annotate and which files to write for each of them."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Sequence
from typing import Final

from ethos_data import options
from ethos_data.errors import EthosError
from ethos_model.footage import osc, reader
from ethos_model.footage.tables.writer import STDOUT, TABLE_SUFFIXES, check_table
from gui.drawing.export import PORTRAITS, STILLS

DAMAGED: Final = 3
"""Exit status of ethos-annotate if all videos were annotated, but one of them is
damaged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Which videos to annotate. Each field is a flag."""

    videos: tuple[str, ...] = options.required(
        'Video file, image, directory, text file with one path per line, "camera:0", '
        "or URL (rtsp, http, https, tcp, udp)",
        group="input",
        positional=True,
        metavar="VIDEO",
    )
    fields: bool = options.option(
        False,
        "Process both fields of each frame of interlaced video, at twice the frame "
        "rate",
        group="input",
    )
    overwrite: bool = options.option(
        False, "Annotate videos again whose outputs exist", group="input"
    )


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """Which files to write. Each field is a flag.

    With more than one video, each value is a directory that receives one file (for
    stills and portraits, one directory) per video.
    """

    output: str | None = options.option(
        None,
        "Annotated video (.mp4, .mov, .mkv or .avi), or directory",
        group="output",
        metavar="PATH",
        local=True,
    )
    csv: str | None = options.option(
        None,
        "Table of the faces (landmarks, head pose, quality) as CSV: file, or directory",
        group="output",
        metavar="PATH",
        local=True,
    )
    json: str | None = options.option(
        None,
        "Table of the faces as JSON: file, or directory",
        group="output",
        metavar="PATH",
        local=True,
    )
    jsonl: str | None = options.option(
        None,
        'Table of the faces as JSON Lines, one line per frame: file, directory, or "-" '
        "for the standard output, to which each line is written at once",
        group="output",
        metavar="PATH",
        local=True,
    )
    npz: str | None = options.option(
        None,
        "Table of the faces as NPZ: file, or directory",
        group="output",
        metavar="PATH",
        local=True,
    )
    parquet: str | None = options.option(
        None,
        "Table of the faces as Parquet: file, or directory (needs pyarrow)",
        group="output",
        metavar="PATH",
        local=True,
    )
    stills: str | None = options.option(
        None,
        "Directory for images of single frames with 16-bit depth maps and meshes",
        group="output",
        metavar="PATH",
        local=True,
    )
    portraits: str | None = options.option(
        None,
        "Directory for the best image of each person, reconstructed from many frames",
        group="output",
        metavar="PATH",
        local=True,
    )
    send: str | None = options.option(
        None,
        "Send the faces of each frame as an OSC bundle to this address (needs "
        "python-osc)",
        group="output",
        metavar="udp://HOST:PORT",
    )

    @property
    def tables(self) -> dict[str, str]:
        """Path of each table of landmarks, by its suffix without the dot."""
        suffixes = [suffix.removeprefix(".") for suffix in TABLE_SUFFIXES]
        tables = {suffix: getattr(self, suffix) for suffix in suffixes}
        return {suffix: path for suffix, path in tables.items() if path is not None}

    @property
    def paths(self) -> list[str]:
        """The files or directories that the user named, without `STDOUT`."""
        named = [self.output, *self.tables.values(), self.stills, self.portraits]
        return [path for path in named if path is not None and path != STDOUT]

    @property
    def uses_stdout(self) -> bool:
        """Whether a table is written to the standard output."""
        return self.jsonl == STDOUT

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be written."""
        directories = self.stills or self.portraits
        return not (self.output or directories or self.tables or self.send)


@dataclasses.dataclass(frozen=True)
class InputVideo:
    """A video to annotate.

    Attributes:
      path: Path of the video, or the name of a camera or stream.
      relative: Path below the directory that the user named. For a video that was
        named itself: its file name.
    """

    path: str
    relative: str


@dataclasses.dataclass(frozen=True)
class AnnotationJob:
    """One video and the files to write for it.

    Attributes:
      video: Path of the video, or the name of a camera or stream.
      output: Path of the annotated video; None for none.
      tables: Paths of the tables of landmarks, each with one of `TABLE_SUFFIXES`, or
        `STDOUT`.
      stills: Directory of images, depth maps and meshes; None for none.
      portraits: Directory of the best image of each person; None for none.
      send: Address that receives OSC bundles; None for none.
    """

    video: str
    output: str | None = None
    tables: tuple[str, ...] = ()
    stills: str | None = None
    portraits: str | None = None
    send: str | None = None

    @property
    def files(self) -> list[str]:
        """The files to write, without the directories and the standard output."""
        paths = (self.output, *self.tables)
        return [path for path in paths if path is not None and path != STDOUT]

    @property
    def directories(self) -> dict[str, str]:
        """The directories to write, each with the name of a file that it contains."""
        markers = {self.stills: STILLS, self.portraits: PORTRAITS}
        return {path: name for path, name in markers.items() if path is not None}

    @property
    def outputs(self) -> list[str]:
        """The files and directories to write."""
        return [*self.files, *self.directories]

    @property
    def is_done(self) -> bool:
        """Whether all outputs exist. Each appears only when it is complete."""
        if self.send is not None or STDOUT in self.tables:
            return False
        markers = [os.path.join(*pair) for pair in self.directories.items()]
        return all(os.path.exists(path) for path in (*self.files, *markers))


def expand(specs: Sequence[str], *, output: str | None = None) -> list[InputVideo]:
    """Finds the videos that the user named.

    A directory stands for the videos in it and below it, except in hidden files and
    directories. A directory of images is one video. A text file lists one video per
    line.

    Args:
      specs: The names, as the user gave them.
      output: Directory of annotated videos. Its contents are left out.

    Raises:
      EthosError: A directory or text file names no video, or the annotated videos
        would be written among the videos.
    """
    videos: dict[str, InputVideo] = {}
    for spec in specs:
        if os.path.isdir(spec):
            named = _in_directory(spec, output)
        elif spec.lower().endswith(".txt") and os.path.isfile(spec):
            named = [InputVideo(path, os.path.basename(path)) for path in _listed(spec)]
        else:
            named = [InputVideo(spec, os.path.basename(spec))]
        for video in named:
            videos.setdefault(os.path.abspath(video.path), video)
    return list(videos.values())


def _in_directory(directory: str, output: str | None) -> list[InputVideo]:
    excluded = os.path.realpath(output) if output else None
    if excluded == os.path.realpath(directory):
        raise EthosError(
            f"{output}: the annotated videos would be mixed with the videos; "
            "name another directory"
        )
    paths = []
    for parent, directories, names in os.walk(directory):
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".")
            and os.path.realpath(os.path.join(parent, name)) != excluded
        )
        paths += [
            os.path.join(parent, name)
            for name in sorted(names)
            if name.lower().endswith(reader.VIDEO_SUFFIXES) and not name.startswith(".")
        ]
    if paths:
        return [InputVideo(path, os.path.relpath(path, directory)) for path in paths]
    if not reader.images_in(directory):
        raise EthosError(f"{directory}: no videos or images in this directory")
    return [InputVideo(directory, os.path.basename(os.path.abspath(directory)))]


def _listed(path: str) -> list[str]:
    """The paths in a text file. They are relative to the directory of the file."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError:
        raise EthosError(f"{path}: this list is not UTF-8 text") from None
    except OSError as error:
        raise EthosError(f"{path}: {error.strerror or error}") from None
    listed = [line for line in lines if line and not line.startswith("#")]
    if not listed:
        raise EthosError(f"{path}: this list names no video")
    directory = os.path.dirname(path)
    return [line if "://" in line else os.path.join(directory, line) for line in listed]


def plan_jobs(
    videos: Sequence[InputVideo], outputs: OutputOptions, *, several: bool
) -> list[AnnotationJob]:
    """Decides which files are written for which video.

    Args:
      videos: Result of `expand`.
      outputs: Files, or directories if `several` is true.
      several: Whether each output is a directory.

    Raises:
      EthosError: An output would replace a video, another output or a directory, its
        suffix does not fit its flag, or an address is not valid.
      ModuleNotFoundError: A package for an output is not installed.
    """
    if several:
        for path in outputs.paths:
            if os.path.exists(path) and not os.path.isdir(path):
                raise EthosError(
                    f"{path}: is a file; with several videos it must be a directory"
                )
        jobs = [
            AnnotationJob(
                video.path,
                os.path.join(outputs.output, f"{name}.mp4") if outputs.output else None,
                tuple(
                    path if path == STDOUT else os.path.join(path, f"{name}.{suffix}")
                    for suffix, path in outputs.tables.items()
                ),
                os.path.join(outputs.stills, name) if outputs.stills else None,
                os.path.join(outputs.portraits, name) if outputs.portraits else None,
                outputs.send,
            )
            for video, name in zip(videos, _names(videos), strict=True)
        ]
    else:
        for suffix, path in outputs.tables.items():
            if path != STDOUT and not path.lower().endswith(f".{suffix}"):
                raise EthosError(f"{path}: the file name must end with .{suffix}")
        tables = tuple(outputs.tables.values())
        jobs = [
            AnnotationJob(
                videos[0].path,
                outputs.output,
                tables,
                outputs.stills,
                outputs.portraits,
                outputs.send,
            )
        ]
    for path in jobs[0].tables if jobs else ():
        check_table(path)
    if outputs.send is not None:
        osc.check_url(outputs.send)
    _check(jobs)
    return jobs


def _names(videos: Sequence[InputVideo]) -> list[str]:
    """The name of each video's outputs, without a suffix.

    When videos are added later, an existing name either stays with its video or is not
    used any more. It never passes to another video.
    """
    names = [os.path.splitext(video.relative)[0] for video in videos]
    # Beside a.mov, a.mp4 keeps its suffix. Two files a.mp4 get the names of their
    # directories.
    names = _distinguished(names, [video.relative for video in videos])
    paths = [os.path.abspath(video.path) for video in videos]
    if len(set(names)) < len(names):
        top = os.path.commonpath([os.path.dirname(path) for path in paths])
        names = _distinguished(names, [os.path.relpath(path, top) for path in paths])
    return names


def _distinguished(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    """Replaces the names that occur more than once by longer names."""
    counts = collections.Counter(names)
    return [b if counts[a] > 1 else a for a, b in zip(names, longer, strict=True)]


def _check(jobs: Sequence[AnnotationJob]) -> None:
    sources = {os.path.realpath(job.video): job.video for job in jobs}
    written: dict[str, str] = {}
    for job in jobs:
        for path in job.outputs:
            real = os.path.realpath(path)
            if real in sources:
                raise EthosError(f"{path}: this is the video itself; name another file")
            if real in written:
                raise EthosError(f"{path}: two outputs would have this name")
            written[real] = path
        for path in job.files:
            if os.path.isdir(path):
                raise EthosError(f"{path}: is a directory; name a file in it")
    for directory in [path for job in jobs for path in job.directories]:
        inside = os.path.join(os.path.realpath(directory), "")
        for real, path in {**sources, **written}.items():
            if real.startswith(inside):
                raise EthosError(
                    f"{directory}: this directory would be replaced, and {path} is in "
                    "it; name another directory"
                )
