"""Marks videos in which faces are hidden, so that no other video is taken for one."""

from __future__ import annotations

import os

import av

from ethos_data.errors import EthosError
from gui.jobs import AnnotationJob


def note(video: str, kind: str) -> str:
    """Returns the comment that the output contains.

    Args:
      video: Path of the video whose faces are hidden.
      kind: One of `ethos_model.footage.hiding.cover.KINDS`.
    """
    # A name may contain bytes that are not UTF-8.
    name = os.path.basename(video).encode("utf-8", "backslashreplace").decode()
    return f"ETHOS: faces of {name} are hidden ({kind})"


def check(job: AnnotationJob, kind: str) -> None:
    """Checks that an existing output was made by the same command.

    Otherwise the command would skip a video whose output shows faces.

    Args:
      job: The video and its output.
      kind: See `note`.

    Raises:
      EthosError: The output exists, and was made from another video, by other means or
        without hiding faces.
    """
    if job.output is None or not os.path.exists(job.output):
        return
    if _comment(job.output) != note(job.video, kind):
        raise EthosError(
            f"{job.output}: exists, but was not made from {job.video} with "
            f"--hide_faces {kind}; name another file, or replace it with --overwrite"
        )


def _comment(path: str) -> str:
    try:
        with av.open(os.path.abspath(path), metadata_errors="replace") as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
    except (av.FFmpegError, OSError):
        return ""
    return tags.get("comment", "")
