"""Reads damaged copies of video files: no crash, no hang, one line for each failure.

    python -m tests.ethos_model.footage.fuzz --count 2000

Prints the number of files that were read and refused, and exits with status 1 if a
file raised another exception than VideoError.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import traceback
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from ethos_model.footage.reader import VideoError, open_video
from tests.ethos_model.footage import clips, heif

SECONDS = 30
"""Time after which one file counts as a hang."""


def seeds(directory: str) -> list[str]:
    """Writes one small file of each kind."""
    images = [clips.image(number) for number in range(16)]
    gop = {"g": "6", "bf": "2"}
    kinds: dict[str, dict] = {
        "a.mp4": {"options": gop, "sound_seconds": 0.3},
        "a.mov": {"options": gop, "muxer_options": {"movflags": "faststart"}},
        "fragmented.mp4": {
            "options": gop,
            "muxer_options": {"movflags": "frag_keyframe"},
        },
        "a.mkv": {"options": gop},
        "a.ts": {"options": gop},
        "a.flv": {"options": gop},
        "a.h264": {"options": gop},
        "a.avi": {"codec": "mpeg4", "options": gop},
        "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
        "a.mpg": {"codec": "mpeg2video", "options": gop},
        "a.wmv": {"codec": "wmv2"},
        "a.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
        "ffv1.mkv": {"codec": "ffv1", "pixel_format": "yuv420p10le"},
        "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
        "a.y4m": {"codec": "wrapped_avframe"},
    }
    paths = []
    for name, options in kinds.items():
        paths.append(clips.write(os.path.join(directory, name), images, **options))
    pictures = [Image.fromarray(pixels) for pixels in images[:4]]
    for name in ("a.gif", "a.webp", "animated.png", "a.avif"):
        path = os.path.join(directory, name)
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)
        paths.append(path)
    for name in ("a.png", "a.jpg", "a.tif"):
        path = os.path.join(directory, name)
        pictures[0].save(path)
        paths.append(path)
    path = os.path.join(directory, "tiles.heic")
    paths.append(heif.write(path, images[:4], columns=2, size=(190, 120)))
    path = os.path.join(directory, "pages.tif")
    cv2.imwritemulti(path, [pixels.astype(np.uint16) * 16 for pixels in images[:3]])
    return [*paths, path]


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """A damaged copy: changed, missing, repeated, added or truncated bytes."""
    result = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        if not result:
            break
        start = int(random.integers(len(result)))
        length = int(random.integers(1, max(2, len(result) // 8)))
        kind = int(random.integers(7))
        if kind == 0:
            for place in random.integers(len(result), size=random.integers(1, 20)):
                result[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            part = len(result[start : start + length])
            result[start : start + length] = random.bytes(part)
        elif kind == 2:
            result[start : start + length] = bytes(len(result[start : start + length]))
        elif kind == 3:
            del result[start : start + length]
        elif kind == 4:
            result[start:start] = result[start : start + length]
        elif kind == 5:
            result[start:start] = random.bytes(length)
        else:
            del result[start:]
    return bytes(result)


def read(path: str) -> int:
    """Reads a file from start to end, seeks in it, and returns the number of frames."""
    with open_video(path) as source:
        count = 0
        last = -1.0
        while (frame := source.read()) is not None and count < 200:
            assert frame.image.dtype == np.uint8
            assert frame.image.shape[2] == 3
            assert frame.timestamp >= last
            last = frame.timestamp
            count += 1
        str(source.damage)
        for index in (count // 2, 0, count + 5, max(0, count - 1)):
            source.seek(index)
            source.read()
            source.index_at(0.1 * index)
    return count


def run(count: int, seed: int, write: Callable[[str], object] = print) -> int:
    """Reads `count` damaged files; returns the number of failures."""
    outcomes = {"read": 0, "refused": 0, "failed": 0}
    with tempfile.TemporaryDirectory() as directory:
        originals = seeds(directory)
        for number in range(count):
            random = np.random.default_rng((seed, number))
            original = originals[number % len(originals)]
            stem, suffix = os.path.splitext(original)
            path = f"{stem}_damaged{suffix}"
            with open(original, "rb") as file:
                data = mutated(file.read(), random)
            with open(path, "wb") as file:
                file.write(data)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            try:
                read(path)
                outcome = "read"
            except VideoError as error:
                outcome = "failed" if "\n" in str(error) else "refused"
            except Exception:
                outcome = "failed"
                write(f"{number} {os.path.basename(path)}")
                write(traceback.format_exc())
            outcomes[outcome] += 1
            faulthandler.cancel_dump_traceback_later()
    write(f"{count} files: {outcomes}")
    return outcomes["failed"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(1 if run(arguments.count, arguments.seed) else 0)
