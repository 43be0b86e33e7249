"""Which videos to annotate and which files to write for each: a pure plan."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from ethos_data.errors import EthosError
from gui import video


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
    def outputs(self) -> list[str]:
        return [p for p in (self.output, *self.tables, self.stills) if p is not None]


def expand(specs: Sequence[str]) -> list[str]:
    """Videos named one by one, by folder or in text files (one path on a line).

    A folder of images counts as one video.

    Raises:
      EthosError: nothing to read there.
    """
    found: list[str] = []
    for spec in specs:
        if os.path.isdir(spec):
            inside = sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(spec)
                for name in names
                if name.lower().endswith(video.VIDEO_SUFFIXES)
            )
            if not inside and not video.images_in(spec):
                raise EthosError(f"{spec}: no videos or images in this folder")
            found += inside or [spec]
        elif spec.lower().endswith(".txt") and os.path.isfile(spec):
            with open(spec, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
            listed = [line for line in lines if line and not line.startswith("#")]
            # Paths are relative to the list, so that both can be moved together.
            found += [os.path.join(os.path.dirname(spec), line) for line in listed]
        else:
            found.append(spec)
    return found


def plan_jobs(
    videos: Sequence[str],
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
    """
    if not several:
        paths = tuple(path for path in tables.values() if path is not None)
        return [Job(videos[0], output, paths, stills)]
    jobs, taken = [], set()
    for path in videos:
        stem = os.path.splitext(os.path.basename(os.path.normpath(path)))[0]
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        jobs.append(
            Job(
                path,
                os.path.join(output, f"{name}.mp4") if output else None,
                tuple(
                    os.path.join(folder, f"{name}.{suffix}")
                    for suffix, folder in tables.items()
                    if folder
                ),
                os.path.join(stills, name) if stills else None,
            )
        )
    return jobs
