"""Reads a converted split one frame at a time, at the resolution the source had.

The input pipeline (`ethos_data.dataset`) hands out windows already scaled to the
network's size. An evaluation has to degrade what the camera saw *before* the face is
cut out and scaled, so it needs the stored crop itself: this file reads that, and
derives the network's window from the true landmarks with the same functions as the
predictor.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import cv2
import numpy as np

from ethos_data import crop, records, topology
from ethos_data.crop import Window
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord


@dataclasses.dataclass(frozen=True)
class Sample:
    """One face of a converted split.

    Attributes:
      image: uint8 (W, W, 3) RGB, the stored crop in true source pixels: scaled back up
        if the conversion had shrunk it.
      window: the network's window in the pixels of `image`, its edges between pixels.
      landmarks: float64 (68, 3) true points, normalised in `window`.
      depth: float32 (K, K) stored depth over `image`, its unit the side of `image`, NaN
        where there is none.
      person_id: whose face it is.
      video_id: stem of the video's file.
      frame: index in the video.
      source_face_size: sqrt(w * h) of the face box, source pixels.
    """

    image: np.ndarray
    window: Window
    landmarks: np.ndarray
    depth: np.ndarray
    person_id: str
    video_id: str
    frame: int
    source_face_size: float

    @property
    def face_size(self) -> float:
        """sqrt(w * h) of the face box in the unit of `landmarks`."""
        return self.source_face_size / self.window.size

    def network_image(
        self,
        size: int,
        *,
        image: np.ndarray | None = None,
        window: Window | None = None,
    ) -> np.ndarray:
        """What the network sees.

        Args:
          size: side of the network's input, pixels.
          image: degraded version of `self.image`, same shape; None = `self.image`.
          window: another window of the image; None = `self.window`.

        Returns:
          uint8 (size, size, 3).
        """
        image = self.image if image is None else image
        return crop.resize(crop.cut(image, window or self.window), size)

    def network_depth(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """True depth in the network's window.

        Args:
          size: side of the wanted map, pixels.

        Returns:
          float32 (size, size) depth in the unit of `landmarks`, 0 where there is none,
          and bool (size, size) mask.
        """
        # Pixel j of the map shows pixel `scale * (j + 0.5) + edge - 0.5` of the stored
        # one, whose first pixel begins at the left edge of `image`, x = -0.5.
        stored = self.depth.shape[0] / self.image.shape[0]
        scale = self.window.size * stored / size
        left, top = (
            (edge + 0.5) * stored + scale / 2 - 0.5
            for edge in (self.window.left, self.window.top)
        )
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        there = np.isfinite(self.depth)
        values, weight = (
            cv2.warpAffine(one.astype(np.float32), matrix, (size, size), flags=flags)
            for one in (np.where(there, self.depth, 0), there)
        )
        # Only where all that a value was interpolated from is known.
        known = weight > 0.999
        unit = np.float32(self.image.shape[0] / self.window.size)
        return np.where(known, values * unit, np.float32(0)), known


def count(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> int:
    """How many faces `read_samples` will yield.

    Raises:
      EthosError: there is no such data set or split, or it is empty.
    """
    from ethos_data import dataset_files

    every = dataset_files.counts(data_dir)
    if not every.get(split):
        known = ", ".join(name for name, number in every.items() if number)
        raise EthosError(f"{data_dir}: no frames in split {split!r}, only in {known}")
    return every[split] if limit is None else min(limit, every[split])


def read_samples(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> Iterator[Sample]:
    """Yields the faces of a split in the order in which they are stored.

    Args:
      data_dir: what `ethos-convert` wrote, or the version's folder inside it.
      split: "train", "validation" or "test".
      limit: reads at most so many, spread evenly over the split; None = all.
    """
    for record in _read_records(data_dir, split, limit):
        yield to_sample(record)


def read_network_landmarks(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> np.ndarray:
    """Only the true landmarks of a split: (N, 68, 3), normalised in network windows."""
    import tensorflow as tf  # takes seconds

    from ethos_data import dataset_files

    stored = tf.data.TFRecordDataset(dataset_files.shard_paths(data_dir, split))
    batches = stored.batch(256).map(records.parse_tensors)  # images stay encoded
    if limit is not None:
        batches = batches.take(-(-limit // 256))
    found = [
        _network_landmarks(Window(*window), landmarks)[1]
        for batch in batches.as_numpy_iterator()
        for window, landmarks in zip(
            batch["window"].astype(np.float64), batch["landmarks"], strict=True
        )
    ]
    return np.reshape(found, (-1, topology.NUM_LANDMARKS, 3))[:limit]


def _read_records(
    data_dir: str | os.PathLike[str], split: str, limit: int | None
) -> Iterator[records.Record]:
    import tensorflow as tf  # takes seconds

    from ethos_data import dataset_files

    total, wanted = (count(data_dir, split, limit=n) for n in (None, limit))
    # The first frames would all be the people of the first shard.
    chosen = set(np.linspace(0, total - 1, wanted).round().astype(int).tolist())
    index = 0
    for path in dataset_files.shard_paths(data_dir, split):
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                for serialized in tfrecord.read(file):
                    if index in chosen:
                        yield records.decode(serialized)
                    index += 1
        except ValueError as error:
            raise EthosError(f"{path}: {error}") from error


def _network_landmarks(
    stored: Window, landmarks: np.ndarray
) -> tuple[Window, np.ndarray]:
    """The network's window in source pixels, and the landmarks normalised in it."""
    points = stored.to_source(landmarks)
    window = crop.window_around(topology.face_box(points), crop.NETWORK_CONTEXT)
    return window, window.to_normalized(points)


def to_sample(record: records.Record) -> Sample:
    """The `Sample` of one record."""
    stored = record.window
    window, points = _network_landmarks(stored, record.landmarks)
    # The edge of the first stored pixel is x = -0.5 of the crop, `stored.left` of the
    # frame.
    local = Window(
        window.left - (stored.left + 0.5), window.top - (stored.top + 0.5), window.size
    )
    return Sample(
        image=crop.resize(record.image, round(stored.size)),
        window=local,
        landmarks=points,
        depth=record.depth,
        person_id=record.person_id,
        video_id=record.video_id,
        frame=record.frame,
        source_face_size=record.face_size,
    )
