"""Opens videos: files, images, cameras and network streams.

    with open_video("clip.mp4") as source:
        while (frame := source.read()) is not None:
            print(frame.index, frame.timestamp, frame.image.shape)

Every source returns upright 8-bit RGB frames with square pixels and the timestamps of
the container. Interlaced video is deinterlaced. HDR video is converted to SDR.
"""

from __future__ import annotations

import os
import re
from typing import Final

import cv2

from ethos_data.storage import files
from ethos_model.footage.sources.animation import Animation, is_animated
from ethos_model.footage.sources.images import (
    IMAGE_SUFFIXES,
    ImageSequence,
    Page,
    images_in,
    images_matching,
    page_count,
)
from ethos_model.footage.sources.live import (
    SCHEMES,
    TIMEOUT,
    Camera,
    LiveStream,
    open_connection,
)
from ethos_model.footage.sources.source import (
    DEFAULT_FPS,
    Damage,
    Frame,
    Info,
    Source,
    VideoError,
)
from ethos_model.footage.sources.video_file import VideoFile

__all__ = [
    "DEFAULT_FPS",
    "IMAGE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Damage",
    "Frame",
    "Info",
    "Source",
    "VideoError",
    "images_in",
    "open_video",
]

# Damaged files and missing cameras are reported by VideoError. PyAV is silent as well.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"),
    *(".flv", ".3gp", ".ts", ".mts", ".m2ts", ".ogv", ".mjpeg", ".gif", ".y4m"),
    *(".vob", ".dv", ".mxf", ".asf", ".h264", ".264", ".h265", ".265", ".hevc"),
    *(".m2v", ".apng"),
)
"""Suffixes by which the videos in a directory are recognised. A file that is named by
the user may have any suffix."""

RECONNECT_SECONDS: Final = 30.0
"""Seconds without a frame after which a network stream counts as ended."""


def open_video(
    spec: str, *, fields: bool = False, reconnect_seconds: float = RECONNECT_SECONDS
) -> Source:
    """Opens a video.

    Example:
      with open_video("clip.mp4") as source:
          first = source.read()

    Args:
      spec: One of
        - the path of a video file or an image,
        - a directory with images, or a pattern such as "frames/%04d.png" or
          "frames/*.png", which are played at 25 frames/s in natural order,
        - "camera:0", "0" or "/dev/video0" for a camera,
        - a URL with one of the protocols in `SCHEMES`.
      fields: Return both fields of each frame of an interlaced video file, at twice
        the frame rate. By default, one frame is returned for each frame.
      reconnect_seconds: How long a network stream that stops is tried again.

    Raises:
      VideoError: The video cannot be opened. The message names it and the reason.
    """
    camera = re.fullmatch(r"(?:camera:?|/dev/video)?(\d+)", spec)
    if camera and (spec.startswith("/dev/") or not os.path.exists(spec)):
        return Camera(int(camera[1]))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", spec) and not os.path.exists(spec):
        return _open_url(spec, fields, reconnect_seconds)
    if os.path.isdir(spec):
        return ImageSequence(spec, [Page(path) for path in images_in(spec)])
    if not os.path.exists(spec) and re.search(r"\*|%\d*d", os.path.basename(spec)):
        paths = images_matching(spec)
        if not paths:
            raise VideoError(spec, "no file matches this pattern")
        return ImageSequence(spec, [Page(path) for path in paths])
    if os.path.isfile(spec):
        if is_animated(spec):
            return Animation(spec)
        if spec.lower().endswith(IMAGE_SUFFIXES):
            pages = [Page(spec, number) for number in range(page_count(spec))]
            return ImageSequence(spec, pages)
    return VideoFile(spec, fields=fields)


def _open_url(url: str, fields: bool, reconnect_seconds: float) -> Source:
    scheme = url.split("://", 1)[0]
    if scheme.lower() == "file":
        return open_video(files.local_path(url), fields=fields)
    if scheme.lower() not in SCHEMES:
        raise VideoError(url, f"the protocol must be one of {', '.join(SCHEMES)}")
    decoder = open_connection(url, min(TIMEOUT, reconnect_seconds))
    if decoder.container.duration is not None:  # a file on a server
        return VideoFile(url, fields=fields, decoder=decoder)
    return LiveStream(url, decoder, reconnect_seconds)
