"""Reads the faces of a converted split at the resolution of the source frame.

The input pipeline (`ethos_data.dataset`) returns windows that are already scaled to the
network's input size. An evaluation degrades the source frame before the face is cut out
and scaled, so it needs the stored crop. This module reads the stored crop and derives
the network's window from the true landmarks with the same functions as the predictor.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import cv2
import numpy as np

from ethos_data import crop, dataset_files, records, topology
from ethos_data.crop import Window
from ethos_data.errors import EthosError
from ethos_data.storage import tfrecord


@dataclasses.dataclass(frozen=True)
class Sample:
    """One face of a converted split.

    Attributes:
      image: uint8 (W, W, 3), RGB, the stored crop in source pixels. It is enlarged to
        its original size if the conversion has reduced it.
      window: The network's window in pixels of `image`, with edges between pixels.
      landmarks: float64 (68, 3), true landmarks, normalised in `window`.
      depth: float32 (K, K), stored depth over `image`, in units of the side of `image`.
        NaN where it is unknown.
      person_id: Person that the face belongs to.
      video_id: Name of the video file without its suffix.
      frame: Index of the frame in the video.
      source_face_size: sqrt(w * h) of the face box, in source pixels.
      known: bool (68,), True where the landmark has a label. Elsewhere `landmarks` is
        an estimate.
      has_z: Whether z of the landmarks is a label.
    """

    image: np.ndarray
    window: Window
    landmarks: np.ndarray
    depth: np.ndarray
    person_id: str
    video_id: str
    frame: int
    source_face_size: float
    known: np.ndarray
    has_z: bool

    @property
    def face_size(self) -> float:
        """sqrt(w * h) of the face box, normalised in `window`."""
        return self.source_face_size / self.window.size

    def network_image(
        self,
        size: int,
        *,
        image: np.ndarray | None = None,
        window: Window | None = None,
    ) -> np.ndarray:
        """Input image of the network.

        Args:
          size: Side of the network's input, in pixels.
          image: Degraded version of `self.image`, same shape. None uses `self.image`.
          window: Another window of the image. None uses `self.window`.

        Returns:
          uint8 (size, size, 3), RGB.
        """
        image = self.image if image is None else image
        return crop.resize(crop.cut(image, window or self.window), size)

    def network_depth(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """True depth in the network's window.

        Args:
          size: Side of the depth map, in pixels.

        Returns:
          Depth, float32 (size, size), in the unit of `landmarks`, 0 where it is
          unknown; and the mask of known depth, bool (size, size).
        """
        # Pixel j of the map is at `scale * (j + 0.5) + edge - 0.5` of the stored depth,
        # whose first pixel starts at the left edge of `image`, x = -0.5.
        stored = self.depth.shape[0] / self.image.shape[0]
        scale = self.window.size * stored / size
        left, top = (
            (edge + 0.5) * stored + scale / 2 - 0.5
            for edge in (self.window.left, self.window.top)
        )
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        known = np.isfinite(self.depth)
        values, weight = (
            cv2.warpAffine(array.astype(np.float32), matrix, (size, size), flags=flags)
            for array in (np.where(known, self.depth, 0), known)
        )
        # A value is known only if all pixels that it was interpolated from are known.
        mask = weight > 0.999
        unit = np.float32(self.image.shape[0] / self.window.size)
        return np.where(mask, values * unit, np.float32(0)), mask


def count(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> int:
    """Number of faces that `read_samples` yields.

    Args:
      data_dir: Directory that `ethos-convert` wrote.
      split: "train", "validation" or "test".
      limit: Maximum number of faces; None for all.

    Raises:
      EthosError: The data set or the split does not exist, or the split is empty.
    """
    counts = dataset_files.counts(data_dir)
    if not counts.get(split):
        known = ", ".join(name for name, number in counts.items() if number)
        raise EthosError(f"{data_dir}: no frames in split {split!r}, only in {known}")
    return counts[split] if limit is None else min(limit, counts[split])


def read_samples(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> Iterator[Sample]:
    """Yields the faces of a split in the order in which they are stored.

    Args:
      data_dir: Directory that `ethos-convert` wrote, or the version directory in it.
      split: "train", "validation" or "test".
      limit: Maximum number of faces, evenly spread over the split; None for all.
    """
    for record in _read_records(data_dir, split, limit):
        yield to_sample(record)


def read_network_landmarks(
    data_dir: str | os.PathLike[str], split: str, *, limit: int | None = None
) -> np.ndarray:
    """True landmarks of a split, without decoding the images.

    Args:
      data_dir: Directory that `ethos-convert` wrote, or the version directory in it.
      split: "train", "validation" or "test".
      limit: Maximum number of faces, the first of the split; None for all.

    Returns:
      (N, 68, 3), normalised in each face's network window. Where a label is missing,
      this is the estimate that the data set contains.
    """
    import tensorflow as tf  # Importing TensorFlow takes seconds.

    shards = tf.data.TFRecordDataset(dataset_files.shard_paths(data_dir, split))
    batches = shards.batch(256).map(records.parse_tensors)
    if limit is not None:
        batches = batches.take(-(-limit // 256))
    faces = [
        _network_landmarks(Window(*window), landmarks)[1]
        for batch in batches.as_numpy_iterator()
        for window, landmarks in zip(
            batch["window"].astype(np.float64), batch["landmarks"], strict=True
        )
    ]
    return np.reshape(faces, (-1, topology.NUM_LANDMARKS, 3))[:limit]


def _read_records(
    data_dir: str | os.PathLike[str], split: str, limit: int | None
) -> Iterator[records.Record]:
    import tensorflow as tf  # Importing TensorFlow takes seconds.

    total, wanted = (count(data_dir, split, limit=n) for n in (None, limit))
    # Evenly spread, because the first frames show only the people of the first shard.
    selected = set(np.linspace(0, total - 1, wanted).round().astype(int).tolist())
    index = 0
    for path in dataset_files.shard_paths(data_dir, split):
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                for serialized in tfrecord.read(file):
                    if index in selected:
                        yield records.decode(serialized)
                    index += 1
        except ValueError as error:
            raise EthosError(f"{path}: {error}") from error


def _network_landmarks(
    stored: Window, landmarks: np.ndarray
) -> tuple[Window, np.ndarray]:
    """The network's window in source pixels, and the landmarks normalised in it."""
    source_landmarks = stored.to_source(landmarks)
    box = topology.face_box(source_landmarks)
    window = crop.window_around(box, crop.NETWORK_CONTEXT)
    return window, window.to_normalized(source_landmarks)


def to_sample(record: records.Record) -> Sample:
    """The sample of a record."""
    stored = record.window
    window, landmarks = _network_landmarks(stored, record.landmarks)
    # The edge of the first stored pixel is x = -0.5 in the crop and x = `stored.left`
    # in the frame.
    local = Window(
        window.left - (stored.left + 0.5), window.top - (stored.top + 0.5), window.size
    )
    return Sample(
        image=crop.resize(record.image, round(stored.size)),
        window=local,
        landmarks=landmarks,
        depth=record.depth,
        person_id=record.person_id,
        video_id=record.video_id,
        frame=record.frame,
        source_face_size=record.face_size,
        known=records.known_landmarks(record),
        has_z=record.has_z,
    )
