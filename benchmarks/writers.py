"""Other ways to write the records of ETHOS, for the benchmark `convert_speed`.

All of them cut, scale and encode in the same way. They differ in how files are read and
how records are put into shards.
"""

from __future__ import annotations

import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import apache_beam as beam
import cv2
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions

from ethos_data import crop, depth, depth_codec, records, topology
from ethos_data.corpora import video

IMAGE_SIZE = 256
"""Maximum side of a stored image, in pixels."""


def read_frames(path: str, method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields key and features of each frame of an npz video.

    Args:
      path: The video.
      method: Depth method.
    """
    with np.load(path) as npz:
        images, landmarks = npz["colorImages"], npz["landmarks3D"]
    video_id = video.video_id_of(path)
    for t in range(images.shape[-1]):
        box = topology.face_box(landmarks[..., t])
        window = crop.window_around(box, crop.STORED_CONTEXT)
        image = crop.cut(images[..., t], window)
        if len(image) > IMAGE_SIZE:
            image = crop.resize(image, IMAGE_SIZE)
        normalized = window.to_normalized(landmarks[..., t])
        depth_map = depth.depth_map(normalized, records.DEPTH_SIZE, method=method)
        levels = depth_codec.encode(depth_map, *records.DEPTH_RANGE)
        yield (
            f"{video_id}_{t}",
            {
                "image": image,
                "landmarks": normalized.astype(np.float32),
                "depth": levels[..., None],
                "person_id": video.person_id_of(video_id),
                "video_id": video_id,
                "frame": t,
                "source_size": np.array(images.shape[:2]),
                "window": np.array([window.left, window.top, window.size], np.float32),
                "face_size": np.float32(topology.face_size(box)),
            },
        )


def serialize(features: dict[str, Any]) -> bytes:
    """A serialized `tf.train.Example`, made with TensorFlow's own classes."""
    bgr = cv2.cvtColor(features["image"], cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    png = cv2.imencode(".png", features["depth"])[1].tobytes()

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def floats(value: Any) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))

    def integers(value: Any) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=np.ravel(value)))

    feature = {
        "image": text(jpeg),
        "depth": text(png),
        "person_id": text(features["person_id"].encode()),
        "video_id": text(features["video_id"].encode()),
        "landmarks": floats(features["landmarks"]),
        "window": floats(features["window"]),
        "face_size": floats(features["face_size"]),
        "frame": integers(features["frame"]),
        "source_size": integers(features["source_size"]),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()


def read_examples(path: str, method: str) -> Iterator[bytes]:
    """Yields the serialized frames of an npz video."""
    for _, features in read_frames(path, method):
        yield serialize(features)


def plain_loop(paths: list[str], output_dir: str, method: str) -> None:
    """Writes one file in one process."""
    with tf.io.TFRecordWriter(f"{output_dir}/plain.tfrecord") as writer:
        for path in paths:
            for example in read_examples(path, method):
                writer.write(example)


def write_to_tfrecord(paths: list[str], output_dir: str, method: str) -> None:
    """Writes a fixed number of shards with Beam's sink."""
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.Create(paths)
            | beam.Reshuffle()
            | beam.FlatMap(read_examples, method)
            | beam.io.WriteToTFRecord(f"{output_dir}/sink.tfrecord", num_shards=8)
        )


class EthosFaces(tfds.core.GeneratorBasedBuilder):
    """A TFDS builder as it is usually written for such a corpus."""

    VERSION = tfds.core.Version(records.VERSION)
    paths: ClassVar[list[str]] = []
    method = ""

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(features=records.features())

    def _split_generators(self, dl_manager: Any, pipeline: Any) -> Any:
        return {"train": self._generate_examples(self.paths)}

    def _generate_examples(self, paths: list[str]) -> Any:
        create = beam.Create(paths)
        return create | beam.Reshuffle() | beam.FlatMap(read_frames, self.method)


def tfds_writer(paths: list[str], output_dir: str, method: str) -> None:
    """Writes shards with `download_and_prepare` and Beam."""
    EthosFaces.paths, EthosFaces.method = paths, method
    builder = EthosFaces(data_dir=output_dir)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            beam_runner="FnApiRunner", beam_options=PipelineOptions([])
        )
    )


def main() -> None:
    """Runs one writer and writes its wall and processor time to the file "seconds".

    The arguments are the function, the corpus directory, the output directory, the
    depth method and the number of videos.
    """
    name, corpus_dir, output_dir, method, count = sys.argv[1:]
    paths = sorted(map(str, pathlib.Path(corpus_dir).glob("*.npz")))[: int(count)]
    pathlib.Path(output_dir).mkdir(parents=True, exist_ok=True)
    # The time starts after the imports, which favours these writers.
    started, cpu = time.monotonic(), time.process_time()
    globals()[name](paths, output_dir, method)
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    pathlib.Path(output_dir, "seconds").write_text(f"{seconds} {cpu}")


if __name__ == "__main__":
    main()
