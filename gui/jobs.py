"""Which videos to annotate and which files to write for each: a pure plan."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Sequence

from ethos_data.errors import EthosError
from ethos_model.footage import reader
from gui.drawing.export import STILLS


@dataclasses.dataclass(frozen=True)
class Found:
    """A video that was asked for.

    Attributes:
      path: of the video, or a camera.
      below: its path below the folder that was named; of a single one its name alone.
    """

    path: str
    below: str


@dataclasses.dataclass(frozen=True)
class Job:
    """One video and what to write of it.

    Attributes:
      video: path, or camera.
      output: annotated video.
      tables: landmark tables, .csv, .json or .npz.
      stills: folder for pictures, 16-bit depth and meshes.
    """

    video: str
    output: str | None = None
    tables: tuple[str, ...] = ()
    stills: str | None = None

    @property
    def files(self) -> list[str]:
        return [p for p in (self.output, *self.tables) if p is not None]

    @property
    def outputs(self) -> list[str]:
        return self.files + ([] if self.stills is None else [self.stills])

    @property
    def is_done(self) -> bool:
        whole = list(self.files)
        if self.stills is not None:
            whole.append(os.path.join(self.stills, STILLS))
        return all(os.path.exists(path) for path in whole)


def expand(specs: Sequence[str], *, output: str | None = None) -> list[Found]:
    """Videos named one by one, by folder or in text files (one path on a line).

    A folder of images counts as one video. Hidden files and folders are left out.

    Args:
      specs: as the user named them.
      output: folder of annotated videos, whose contents are none to annotate.

    Raises:
      EthosError: nothing to read there.
    """
    found: dict[str, Found] = {}
    for spec in specs:
        if os.path.isdir(spec):
            every = _in_folder(spec, output)
        elif spec.lower().endswith(".txt") and os.path.isfile(spec):
            every = [Found(path, os.path.basename(path)) for path in _listed(spec)]
        else:
            every = [Found(spec, os.path.basename(spec))]
        for one in every:
            found.setdefault(os.path.abspath(one.path), one)
    return list(found.values())


def _in_folder(folder: str, output: str | None) -> list[Found]:
    written = os.path.realpath(output) if output else None
    if written == os.path.realpath(folder):
        raise EthosError(
            f"{output}: annotated videos would lie among those that were not; "
            "name another folder"
        )
    inside = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(place, name)) != written
        )
        inside += [
            os.path.join(place, name)
            for name in sorted(names)
            if name.lower().endswith(reader.VIDEO_SUFFIXES) and not name.startswith(".")
        ]
    if inside:
        return [Found(path, os.path.relpath(path, folder)) for path in inside]
    if not reader.images_in(folder):
        raise EthosError(f"{folder}: no videos or images in this folder")
    return [Found(folder, os.path.basename(os.path.abspath(folder)))]


def _listed(path: str) -> list[str]:
    """Paths in a list, relative to it, so that both can be moved together."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError:
        raise EthosError(f"{path}: this list is not UTF-8 text") from None
    except OSError as error:
        raise EthosError(f"{path}: {error.strerror or error}") from None
    listed = [line for line in lines if line and not line.startswith("#")]
    if not listed:
        raise EthosError(f"{path}: no video in this list")
    return [os.path.join(os.path.dirname(path), line) for line in listed]


def plan_jobs(
    videos: Sequence[Found],
    *,
    several: bool,
    output: str | None,
    tables: dict[str, str | None],
    stills: str | None,
) -> list[Job]:
    """Which files are written for which video.

    Args:
      videos: as `expand` returns them.
      several: whether outputs are folders.
      output: annotated video, or the folder of them.
      tables: by suffix without dot: file or folder.
      stills: folder, or folder of folders.

    Raises:
      EthosError: an output would replace a video, another output or a folder, or has
        another suffix than it should.
    """
    if several:
        jobs = [
            Job(
                one.path,
                os.path.join(output, f"{name}.mp4") if output else None,
                tuple(
                    os.path.join(folder, f"{name}.{suffix}")
                    for suffix, folder in tables.items()
                    if folder
                ),
                os.path.join(stills, name) if stills else None,
            )
            for one, name in zip(videos, _names(videos), strict=True)
        ]
    else:
        for suffix, path in tables.items():
            if path is not None and not path.lower().endswith(f".{suffix}"):
                raise EthosError(f"{path}: --{suffix} writes a file named *.{suffix}")
        paths = tuple(path for path in tables.values() if path is not None)
        jobs = [Job(videos[0].path, output, paths, stills)]
    _check(jobs)
    return jobs


def _names(videos: Sequence[Found]) -> list[str]:
    """What the outputs of each video are called, below their folder, without suffix.

    A video that is added later leaves the names of the others, or changes them to new
    ones: no name ever passes to another video.
    """
    names = [os.path.splitext(one.below)[0] for one in videos]
    # a.mp4 beside a.mov: the suffix too. a.mp4 of two folders: from where they part.
    names = _told_apart(names, [one.below for one in videos])
    paths = [os.path.abspath(one.path) for one in videos]
    if len(set(names)) < len(names):
        top = os.path.commonpath([os.path.dirname(path) for path in paths])
        names = _told_apart(names, [os.path.relpath(path, top) for path in paths])
    return names


def _told_apart(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    counts = collections.Counter(names)
    return [b if counts[a] > 1 else a for a, b in zip(names, longer, strict=True)]


def _check(jobs: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.video): job.video for job in jobs}
    taken: dict[str, str] = {}
    for job in jobs:
        for path in job.outputs:
            real = os.path.realpath(path)
            if real in sources:
                raise EthosError(f"{path}: is the video itself; name another file")
            if real in taken:
                raise EthosError(f"{path}: two outputs of this name")
            taken[real] = path
        for path in job.files:
            if os.path.isdir(path):
                raise EthosError(f"{path}: is a folder; name a file in it")
    for job in jobs:
        if job.stills is None:
            continue
        inside = os.path.join(os.path.realpath(job.stills), "")
        for real, path in {**sources, **taken}.items():
            if real.startswith(inside):
                raise EthosError(
                    f"{job.stills}: the folder of stills is replaced as a whole, and "
                    f"{path} lies in it; name another one"
                )
