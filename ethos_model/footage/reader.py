"""Frames from anything that moves: video files, cameras, images, folders of images.

    with open_source("clip.mp4") as source:
        while (frame := source.read()) is not None:
            show(frame.image, frame.timestamp)

Container headers are hints. Neither the frame count nor the frame rate is believed: the
end is a failed read, and time is what the container stamped on each frame, so that
variable frame rates play at their true speed. Pictures are turned upright (a phone's
rotation flag, a photograph's EXIF).
"""

from __future__ import annotations

import abc
import bisect
import dataclasses
import os
import re
import time
from typing import Final

import cv2
import numpy as np

from ethos_data.errors import EthosError

# FFmpeg writes its own diagnosis of a broken file to stderr, where one line of ours
# belongs. Read when the first capture is opened.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

DEFAULT_FPS: Final = 25.0
"""Frames per second of folders of images, and of videos that do not say."""

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
VIDEO_SUFFIXES: Final = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"),
    *(".flv", ".3gp", ".ts", ".mts", ".m2ts", ".ogv", ".mjpeg", ".gif", ".y4m"),
)

FORWARD_LIMIT: Final = 48
"""A seek ahead by fewer frames decodes its way there: exact, and faster than a jump to
a key frame (every 50 to 250 frames in common videos)."""


class VideoError(EthosError):
    """A source of frames that cannot be read."""

    def __init__(self, path: str, reason: str) -> None:
        # A name that is no text must not keep the reason from being printed.
        name = path.encode("utf-8", "backslashreplace").decode()
        super().__init__(f"{name}: {reason}")


@dataclasses.dataclass(frozen=True)
class Frame:
    """One decoded picture.

    Attributes:
      image: uint8 (H, W, 3) RGB.
      index: number from 0 in the order of decoding.
      timestamp: seconds from the first frame; never falls while a source is read on.
    """

    image: np.ndarray
    index: int
    timestamp: float


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a source when it is opened.

    Attributes:
      path: as the user named it.
      size: width, height of the upright picture, pixels.
      fps: nominal frames per second.
      frame_count: as the container claims; None where it does not know.
      live: a camera: no seeking, time is the clock's.
    """

    path: str
    size: tuple[int, int]
    fps: float
    frame_count: int | None
    live: bool = False

    @property
    def name(self) -> str:
        return os.path.basename(os.path.normpath(self.path)) or self.path


class Source(abc.ABC):
    """A stream of frames. Belongs to one thread at a time."""

    info: Info

    @abc.abstractmethod
    def read(self) -> Frame | None:
        """The next frame, or None at the end."""

    @abc.abstractmethod
    def skip(self) -> bool:
        """Passes over one frame as cheaply as can be; False at the end."""

    @abc.abstractmethod
    def seek(self, index: int) -> None:
        """Makes frame `index` the next one, or the nearest that there is."""

    @property
    @abc.abstractmethod
    def position(self) -> int:
        """Number of the next frame; after the end, how many there are."""

    def index_at(self, seconds: float) -> int:
        """Number of the frame that is shown at a time."""
        return round(seconds * self.info.fps)

    @abc.abstractmethod
    def close(self) -> None:
        """Gives back files and devices."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VideoFile(Source):
    """Whatever OpenCV's FFmpeg decodes.

    OpenCV jumps by time and takes the frame rate for constant. Where that is not so it
    lands on another frame than it says (10 frames off in a 6 s phone video). The time
    stamps of all frames that were read in order are kept, and tell where a jump went.
    """

    def __init__(self, path: str) -> None:
        if not os.path.exists(path):
            raise VideoError(path, "there is no such file")
        if path != path.encode("utf-8", "ignore").decode():
            raise VideoError(path, "OpenCV opens names in UTF-8 only; rename it")
        self._path = os.path.abspath(path)  # "12:30.mp4" alone looks like an address
        self._times: list[
            float
        ] = []  # of the frames 0, 1, ... as far as they are known
        self._open()
        self._held = self._decode()  # read already, and the next to be given
        if self._held is None:
            self.close()
            raise VideoError(path, "not a video that OpenCV can read, or an empty one")
        height, width = self._held.image.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.info = Info(
            path=path,
            size=(width, height),
            fps=fps if np.isfinite(fps) and 0 < fps <= 1000 else DEFAULT_FPS,
            frame_count=int(count) if np.isfinite(count) and 0 < count < 1e9 else None,
        )

    @property
    def position(self) -> int:
        return self._next if self._held is None else self._held.index

    def index_at(self, seconds: float) -> int:
        if self._times and seconds <= self._times[-1]:
            return self._known_index(seconds)
        last = self._times[-1] if self._times else 0.0
        return len(self._times) - 1 + round((seconds - last) * self.info.fps)

    def _known_index(self, seconds: float) -> int:
        """The frame with the nearest time stamp among those that are known."""
        after = bisect.bisect_left(self._times, seconds)
        near = range(max(0, after - 1), min(len(self._times), after + 1))
        return min(near, key=lambda index: abs(self._times[index] - seconds))

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(self._path)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self._next = 0
        self._exact = True  # whether _next is surely the number of the next frame
        self._time = -1.0

    def _stamp(self) -> float:
        """Time of the frame just grabbed, in seconds."""
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not (np.isfinite(seconds) and seconds > self._time):
            fps = self._capture.get(cv2.CAP_PROP_FPS)
            step = 1 / (fps if np.isfinite(fps) and fps > 0 else DEFAULT_FPS)
            seconds = self._time + step if self._time >= 0 else 0.0
        self._time = seconds
        if self._exact and self._next == len(self._times):
            self._times.append(seconds)
        return seconds

    def _decode(self) -> Frame | None:
        ok, bgr = self._capture.read()
        if not ok or bgr is None:
            return None
        frame = Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), self._next, self._stamp())
        self._next += 1
        return frame

    def read(self) -> Frame | None:
        if self._held is not None:
            frame, self._held = self._held, None
            return frame
        return self._decode()

    def skip(self) -> bool:
        if self._held is not None:
            self._held = None
            return True
        if not self._capture.grab():
            return False
        self._stamp()
        self._next += 1
        return True

    def seek(self, index: int) -> None:
        index = max(0, index)
        if self._held is not None:
            if self._held.index == index:
                return
            self._held = None
        if not self._next <= index <= self._next + FORWARD_LIMIT:
            # Behind the true end of a video nothing can be read: come from before it.
            starts = [index, *(index - back for back in (16, 128) if back < index)]
            if not any(self._jump(start) for start in starts):
                self._capture.release()  # the only way is from the first frame
                self._open()
        if self._held is not None and self._held.index != index:
            self._held = None
        while self._held is None and self._next < index and self.skip():
            pass

    def _jump(self, index: int) -> bool:
        """Goes to a frame, or to one before it; False if that cannot be done."""
        target = index
        for _ in range(4):
            self._time, self._exact = -1.0, False
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, target)
            if self._capture.get(cv2.CAP_PROP_POS_FRAMES) != target:
                return False
            self._next = target
            frame = self._decode()
            if frame is None:
                return False
            if index >= len(self._times):  # never seen: its number is a good guess
                self._held = frame
                return True
            found = self._known_index(frame.timestamp)
            if found <= index:
                self._exact, self._next = True, found + 1
                self._held = dataclasses.replace(frame, index=found)
                return True
            target = max(0, target - (found - index) - 2)
        return False

    def close(self) -> None:
        self._capture.release()


class Camera(Source):
    """A camera of this machine, by its number."""

    def __init__(self, number: int) -> None:
        self._capture = cv2.VideoCapture(number)
        self._next = 0
        self._start = time.monotonic()
        first = self.read()
        if first is None:
            self._capture.release()
            raise VideoError(
                f"camera {number}", "there is no such camera, or it is busy"
            )
        height, width = first.image.shape[:2]
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        fps = fps if np.isfinite(fps) and 0 < fps <= 1000 else DEFAULT_FPS
        self.info = Info(f"camera {number}", (width, height), fps, None, live=True)

    def read(self) -> Frame | None:
        ok, bgr = self._capture.read()
        if not ok or bgr is None:
            return None
        frame = Frame(
            cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB),
            self._next,
            time.monotonic() - self._start,
        )
        self._next += 1
        return frame

    @property
    def position(self) -> int:
        return self._next

    def skip(self) -> bool:
        self._next += 1
        return bool(self._capture.grab())

    def seek(self, index: int) -> None:
        """A camera has only the present."""

    def close(self) -> None:
        self._capture.release()


class Images(Source):
    """One image, or the images of a folder in natural order, as a video."""

    def __init__(self, path: str, files: list[str], fps: float = DEFAULT_FPS) -> None:
        self._files = files
        self._next = 0
        if not files:
            raise VideoError(path, "a folder without images")
        readable = (image for image in map(_read_image, files) if image is not None)
        first = next(readable, None)
        if first is None:
            raise VideoError(files[0], "not an image that OpenCV can read")
        height, width = first.shape[:2]
        self.info = Info(path, (width, height), fps, len(files))

    def read(self) -> Frame | None:
        while self._next < len(self._files):
            index = self._next
            image = _read_image(self._files[index])
            self._next += 1
            if image is not None:  # a damaged image in a folder is passed over
                return Frame(image, index, index / self.info.fps)
        return None

    @property
    def position(self) -> int:
        return self._next

    def skip(self) -> bool:
        if self._next >= len(self._files):
            return False
        self._next += 1
        return True

    def seek(self, index: int) -> None:
        self._next = min(max(0, index), len(self._files))

    def close(self) -> None:
        """Nothing is held open between frames."""


def _read_image(path: str) -> np.ndarray | None:
    """uint8 (H, W, 3) RGB, upright; None if it is no image."""
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread fails on non-ASCII on Windows
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts "frame 2" before "frame 10"."""
    parts = re.findall(r"(\d+)|(\D+)", name)
    return [(0, int(d), "") if d else (1, 0, text) for d, text in parts]


def images_in(folder: str) -> list[str]:
    """Paths of the images in a folder (not in its folders), in natural order."""
    names = [n for n in os.listdir(folder) if n.lower().endswith(IMAGE_SUFFIXES)]
    return [os.path.join(folder, name) for name in sorted(names, key=natural)]


def open_source(spec: str) -> Source:
    """Opens a video file, image, folder of images, or "camera:0" ("0").

    Raises:
      VideoError: it cannot be read; the text names it and says why.
    """
    camera = re.fullmatch(r"(?:camera:?)?(\d+)", spec)
    if camera and not os.path.exists(spec):
        return Camera(int(camera[1]))
    if os.path.isdir(spec):
        return Images(spec, images_in(spec))
    if spec.lower().endswith(IMAGE_SUFFIXES) and os.path.isfile(spec):
        return Images(spec, [spec])
    return VideoFile(spec)
