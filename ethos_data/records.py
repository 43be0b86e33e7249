"""The record: one frame of one video, as it stands in a shard.

The only file that knows the features, their encoding and their units. Encoding and
`decode` need no TensorFlow, so that a worker starts in a second; `features` and
`decode_tensors` import it when they are called.

A record is a `tf.train.Example` that TFDS can read with `features.json` alone:

    image        JPEG, RGB, square, the stored window at its own resolution or smaller
    landmarks    float32 (68, 3), normalised in the stored window
    depth        uint16 PNG, 96 x 96 over the same window; see `depth_to_values`
    person_id    text           video_id   text           frame   int64, in the video
    source_size  int64 (2,)     height and width of the source frame, pixels
    window       float32 (3,)   left, top, size of the stored window, source pixels
    face_size    float32        sqrt(w * h) of the landmarks' box, source pixels
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ethos_data.crop import Window
from ethos_data.storage import npz
from ethos_data.topology import NUM_LANDMARKS

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

NAME: Final = "ethos_faces"
VERSION: Final = "1.0.0"

DEPTH_SIZE: Final = 96
"""Side of the stored depth map, pixels, over the whole stored window."""

DEPTH_RANGE: Final = (-1.0, 1.0)
"""Depth that the values 1 and 65535 stand for, normalised units (window sides)."""

JPEG_QUALITY: Final = 95

DEPTH_STEPS: Final = 65534
"""Steps between them."""


@dataclasses.dataclass(frozen=True)
class Record:
    """One frame of one video.

    Attributes:
      image: uint8 (S, S, 3) RGB, the stored window.
      landmarks: float32 (68, 3), normalised in the stored window.
      depth: float32 (96, 96), normalised units, larger = nearer, zero at the eyes'
        mean, NaN where there is none.
      person_id: who is seen.
      video_id: the file's name without its ending.
      frame: index of the frame in its video.
      source_size: height and width of the source frame, pixels.
      window: the stored window, source pixels.
      face_size: sqrt(w * h) of the landmarks' box, source pixels.
    """

    image: np.ndarray
    landmarks: np.ndarray
    depth: np.ndarray
    person_id: str
    video_id: str
    frame: int
    source_size: tuple[int, int]
    window: Window
    face_size: float


def depth_to_values(depth: np.ndarray) -> np.ndarray:
    """Depth in normalised units, NaN = none, to the uint16 that is stored.

    0 stands for no depth; v >= 1 for lo + (v - 1) / 65534 * (hi - lo), where (lo, hi)
    is `DEPTH_RANGE`. Depth outside of the range is clipped to it.
    """
    lo, hi = DEPTH_RANGE
    steps = np.asarray(depth, np.float32) - np.float32(lo)
    steps *= np.float32(DEPTH_STEPS / (hi - lo))
    known = np.isfinite(steps)
    # In place, and with limits that NaN gives way to: half the time of `clip`, `where`.
    np.fmin(np.fmax(steps, 0, out=steps), DEPTH_STEPS, out=steps)
    values = np.rint(steps, out=steps).astype(np.uint16)
    values += 1
    values *= known
    return values


def depth_from_values(values: np.ndarray) -> np.ndarray:
    """The inverse of `depth_to_values`: float32 of the same shape, NaN = none."""
    lo, hi = DEPTH_RANGE
    depth = lo + (values.astype(np.float32) - 1) * np.float32((hi - lo) / DEPTH_STEPS)
    return np.where(values == 0, np.float32(np.nan), depth)


def _example_class() -> Any:
    """`tf.train.Example` from its field numbers, in a pool of its own.

    The wire knows numbers only (tensorflow/core/example/{example,feature}.proto), and
    TensorFlow registers the real names if it is loaded later.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="ethos_example.proto", package="ethos", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto

    def message(name, *fields, within=None):
        made = (within.nested_type if within else file.message_type).add(name=name)
        for number, (field_name, kind, repeated) in enumerate(fields, start=1):
            made.field.add(
                name=field_name,
                number=number,
                label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
                type=field.TYPE_MESSAGE if isinstance(kind, str) else kind,
                type_name=kind if isinstance(kind, str) else None,
            )
        return made

    message("BytesList", ("value", field.TYPE_BYTES, True))
    message("FloatList", ("value", field.TYPE_FLOAT, True))
    message("Int64List", ("value", field.TYPE_INT64, True))
    feature = message(
        "Feature",
        ("bytes_list", ".ethos.BytesList", False),
        ("float_list", ".ethos.FloatList", False),
        ("int64_list", ".ethos.Int64List", False),
    )
    feature.oneof_decl.add(name="kind")
    for one in feature.field:
        one.oneof_index = 0
    features = message("Features", ("feature", ".ethos.Features.FeatureEntry", True))
    entry = message(
        "FeatureEntry",
        ("key", field.TYPE_STRING, False),
        ("value", ".ethos.Feature", False),
        within=features,
    )
    entry.options.map_entry = True
    message("Example", ("features", ".ethos.Features", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ethos.Example"))


_Example: Final = _example_class()


def encode(record: Record, *, jpeg_quality: int = JPEG_QUALITY) -> bytes:
    """A serialized `tf.train.Example`; the same record always gives the same bytes."""
    example = _Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(_jpeg(record.image, jpeg_quality))
    feature["landmarks"].float_list.value.extend(
        np.asarray(record.landmarks, np.float32).ravel().tolist()
    )
    feature["depth"].bytes_list.value.append(_png(depth_to_values(record.depth)))
    feature["person_id"].bytes_list.value.append(record.person_id.encode())
    feature["video_id"].bytes_list.value.append(record.video_id.encode())
    feature["frame"].int64_list.value.append(record.frame)
    feature["source_size"].int64_list.value.extend(record.source_size)
    window = record.window
    feature["window"].float_list.value.extend((window.left, window.top, window.size))
    feature["face_size"].float_list.value.append(record.face_size)
    # The order of a protobuf map is otherwise that of a hash table.
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes) -> Record:
    """The record of a serialized example, without TensorFlow.

    Raises:
      ValueError: it is not a record, or its images do not decode.
    """
    try:
        feature = _Example.FromString(serialized).features.feature
        image = decode_image(feature["image"].bytes_list.value[0])
        depth = decode_depth(feature["depth"].bytes_list.value[0])
        landmarks = np.array(feature["landmarks"].float_list.value, np.float32)
        left, top, size = feature["window"].float_list.value
        height, width = feature["source_size"].int64_list.value
        return Record(
            image=image,
            landmarks=landmarks.reshape(NUM_LANDMARKS, 3),
            depth=depth_from_values(depth),
            person_id=feature["person_id"].bytes_list.value[0].decode(),
            video_id=feature["video_id"].bytes_list.value[0].decode(),
            frame=feature["frame"].int64_list.value[0],
            source_size=(height, width),
            window=Window(left, top, size),
            face_size=feature["face_size"].float_list.value[0],
        )
    except Exception as error:  # protobuf and OpenCV raise errors of their own
        raise ValueError(f"not a record of {NAME}: {error}") from error


def decode_image(jpeg: bytes) -> np.ndarray:
    """The `image` of a record: uint8 (S, S, 3).

    Raises:
      ValueError: it does not decode, or is not square.
    """
    image = _decoded(jpeg, cv2.IMREAD_COLOR_RGB)
    if image is None or image.shape[0] != image.shape[1]:
        raise ValueError("the image does not decode to a square")
    return image


def decode_depth(png: bytes) -> np.ndarray:
    """The `depth` of a record: uint16 (96, 96), see `depth_to_values`.

    Raises:
      ValueError: it does not decode, or is of another size.
    """
    # What `_png` wrote takes half as long as in a PNG library.
    if png[: len(_PNG_START)] == _PNG_START and png[-len(_PNG_END) :] == _PNG_END:
        try:
            data = npz.zlib.decompress(png[len(_PNG_START) + 8 : -len(_PNG_END) - 4])
            rows = np.frombuffer(data, np.uint8).reshape(DEPTH_SIZE, 1 + 2 * DEPTH_SIZE)
            if (rows[:, 0] == 2).all():
                summed = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
                return summed.view(">u2").astype(np.uint16)
        except (ValueError, npz.zlib.error):
            pass  # another library may make sense of it
    values = _decoded(png, cv2.IMREAD_UNCHANGED)
    if values is None or values.shape != (DEPTH_SIZE, DEPTH_SIZE):
        raise ValueError(f"the depth does not decode to {DEPTH_SIZE} x {DEPTH_SIZE}")
    return values


def _decoded(data: bytes, flags: int) -> np.ndarray | None:
    if not data:  # which OpenCV does not accept
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _png(values: np.ndarray) -> bytes:
    """A 16-bit grey PNG. OpenCV's encoder takes four times as long for as large a file.

    Each row is stored as its difference to the one above (filter 2), which for depth is
    nearly nothing in the high byte and nothing at all around the face: runs are all
    that there is to find. Not by ISA-L: faster, but it once wrote other bytes for the
    same pixels, and a shard must come out the same.
    """
    height, width = values.shape
    rows = np.zeros((height, 1 + 2 * width), np.uint8)
    rows[:, 0] = 2
    pixels = values.astype(">u2").view(np.uint8)
    rows[0, 1:] = pixels[0]
    np.subtract(pixels[1:], pixels[:-1], out=rows[1:, 1:])
    deflate = zlib.compressobj(level=1, strategy=zlib.Z_RLE)
    data = deflate.compress(rows.data) + deflate.flush()
    return _png_start(width, height) + _chunk(b"IDAT", data) + _PNG_END


def _png_start(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)


def _chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


_PNG_START: Final = _png_start(DEPTH_SIZE, DEPTH_SIZE)
_PNG_END: Final = _chunk(b"IEND", b"")


def features() -> tfds.features.FeaturesDict:
    """The TFDS features, as `features.json` describes them. Imports TensorFlow."""
    import tensorflow_datasets as tfds

    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=(None, None, 3), dtype=np.uint8, encoding_format="jpeg"
            ),
            "landmarks": tfds.features.Tensor(
                shape=(NUM_LANDMARKS, 3), dtype=np.float32
            ),
            "depth": tfds.features.Image(
                shape=(DEPTH_SIZE, DEPTH_SIZE, 1),
                dtype=np.uint16,
                encoding_format="png",
            ),
            "person_id": tfds.features.Text(),
            "video_id": tfds.features.Text(),
            "frame": tfds.features.Scalar(dtype=np.int64),
            "source_size": tfds.features.Tensor(shape=(2,), dtype=np.int64),
            "window": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "face_size": tfds.features.Scalar(dtype=np.float32),
        }
    )


def parse_tensors(serialized: Any) -> dict[str, Any]:
    """The fields of serialized examples, images still encoded, for a `tf.data` map.

    Args:
      serialized: string tensor, scalar or (B,).

    Returns:
      `image` and `depth` strings, JPEG and PNG; `landmarks` float32 (68, 3);
      `person_id`, `video_id` strings; `frame` int64; `source_size` int64 (2,);
      `window` float32 (3,); `face_size` float32; each after a B if there is one.
    """
    import tensorflow as tf

    return tf.io.parse_example(
        serialized,
        {
            "image": tf.io.FixedLenFeature([], tf.string),
            "landmarks": tf.io.FixedLenFeature([NUM_LANDMARKS, 3], tf.float32),
            "depth": tf.io.FixedLenFeature([], tf.string),
            "person_id": tf.io.FixedLenFeature([], tf.string),
            "video_id": tf.io.FixedLenFeature([], tf.string),
            "frame": tf.io.FixedLenFeature([], tf.int64),
            "source_size": tf.io.FixedLenFeature([2], tf.int64),
            "window": tf.io.FixedLenFeature([3], tf.float32),
            "face_size": tf.io.FixedLenFeature([], tf.float32),
        },
    )


def decode_tensors(serialized: Any) -> dict[str, Any]:
    """The record of a serialized example, as tensors, for a `tf.data` map.

    Args:
      serialized: scalar string tensor.

    Returns:
      `image` uint8 (S, S, 3); `landmarks` float32 (68, 3); `depth` float32 (96, 96, 1),
      normalised units, 0 where there is none; `depth_mask` float32 (96, 96, 1), 1 where
      there is depth; `person_id`, `video_id` strings; `frame` int64; `source_size`
      int64 (2,); `window` float32 (3,); `face_size` float32.
    """
    import tensorflow as tf

    parsed = parse_tensors(serialized)
    lo, hi = DEPTH_RANGE
    values = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)
    values = tf.ensure_shape(values, (DEPTH_SIZE, DEPTH_SIZE, 1))
    mask = tf.cast(values > 0, tf.float32)
    depth = lo + (tf.cast(values, tf.float32) - 1.0) * ((hi - lo) / DEPTH_STEPS)
    image = tf.io.decode_jpeg(parsed["image"], channels=3)
    return parsed | {"image": image, "depth": depth * mask, "depth_mask": mask}
