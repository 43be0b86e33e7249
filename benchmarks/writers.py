"""The ways of making the same records that ETHOS is compared with.

All cut, scale and encode alike; what differs is how files are read and how records get
into shards.
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

from ethos_data import crop, depth_codec, records, topology
from ethos_data import depth as depth_lib
from ethos_data.corpora import video

IMAGE_SIZE = 256


def frames_of(path: str, method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Key and features of each frame, as anybody would read an npz."""
    with np.load(path) as npz:
        images, points = npz["colorImages"], npz["landmarks3D"]
    video_id = video.video_id_of(path)
    for t in range(images.shape[-1]):
        box = topology.face_box(points[..., t])
        window = crop.window_around(box, crop.STORED_CONTEXT)
        image = crop.cut(images[..., t], window)
        if len(image) > IMAGE_SIZE:
            image = crop.resize(image, IMAGE_SIZE)
        normalized = window.to_normalized(points[..., t])
        depth = depth_lib.depth_map(normalized, records.DEPTH_SIZE, method=method)
        yield (
            f"{video_id}_{t}",
            {
                "image": image,
                "landmarks": normalized.astype(np.float32),
                "depth": depth_codec.encode(depth, *records.DEPTH_RANGE)[..., None],
                "person_id": video.person_id_of(video_id),
                "video_id": video_id,
                "frame": t,
                "source_size": np.array(images.shape[:2]),
                "window": np.array([window.left, window.top, window.size], np.float32),
                "face_size": np.float32(topology.face_size(box)),
            },
        )


def example_of(features: dict[str, Any]) -> bytes:
    """A serialized `tf.train.Example`, made with TensorFlow's own classes."""
    bgr = cv2.cvtColor(features["image"], cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    png = cv2.imencode(".png", features["depth"])[1].tobytes()

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def reals(value: Any) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))

    def whole(value: Any) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=np.ravel(value)))

    feature = {
        "image": text(jpeg),
        "depth": text(png),
        "person_id": text(features["person_id"].encode()),
        "video_id": text(features["video_id"].encode()),
        "landmarks": reals(features["landmarks"]),
        "window": reals(features["window"]),
        "face_size": reals(features["face_size"]),
        "frame": whole(features["frame"]),
        "source_size": whole(features["source_size"]),
    }
    return tf.train.Example(
        features=tf.train.Features(feature=feature)
    ).SerializeToString()


def examples_of(path: str, method: str) -> Iterator[bytes]:
    for _, features in frames_of(path, method):
        yield example_of(features)


def plain_loop(paths: list[str], out: str, method: str) -> None:
    """One process, one file."""
    with tf.io.TFRecordWriter(f"{out}/plain.tfrecord") as writer:
        for path in paths:
            for example in examples_of(path, method):
                writer.write(example)


def write_to_tfrecord(paths: list[str], out: str, method: str) -> None:
    """Beam's own sink with a fixed number of shards."""
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        _ = (
            pipeline
            | beam.Create(paths)
            | beam.Reshuffle()
            | beam.FlatMap(examples_of, method)
            | beam.io.WriteToTFRecord(f"{out}/sink.tfrecord", num_shards=8)
        )


class EthosFaces(tfds.core.GeneratorBasedBuilder):
    """The TFDS builder that one would write for this corpus."""

    VERSION = tfds.core.Version(records.VERSION)
    paths: ClassVar[list[str]] = []
    method = ""

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(features=records.features())

    def _split_generators(self, dl_manager: Any, pipeline: Any) -> Any:
        return {"train": self._generate_examples(self.paths)}

    def _generate_examples(self, paths: list[str]) -> Any:
        create = beam.Create(paths)
        return create | beam.Reshuffle() | beam.FlatMap(frames_of, self.method)


def tfds_writer(paths: list[str], out: str, method: str) -> None:
    """`download_and_prepare` with Beam."""
    EthosFaces.paths, EthosFaces.method = paths, method
    builder = EthosFaces(data_dir=out)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            beam_runner="FnApiRunner", beam_options=PipelineOptions([])
        )
    )


def main() -> None:
    """Arguments: function, corpus folder, output folder, depth method, files."""
    name, corpus_dir, out, method, count = sys.argv[1:]
    paths = sorted(map(str, pathlib.Path(corpus_dir).glob("*.npz")))[: int(count)]
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    # All of them start after this, which flatters them: importing TensorFlow is over.
    begun, cpu = time.monotonic(), time.process_time()
    globals()[name](paths, out, method)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    pathlib.Path(out, "seconds").write_text(f"{seconds} {cpu}")


if __name__ == "__main__":
    main()
