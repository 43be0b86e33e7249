"""The record: one frame of one video, as it is stored in a shard.

This is the only module that knows the features of a record, their encoding and their
units. Encoding and `decode` work without TensorFlow, so that a conversion worker starts
within a second. `features` and `decode_tensors` import TensorFlow when they are called.

A record is a `tf.train.Example`. TFDS reads it with `features.json` alone:

    image        JPEG, RGB, square: the stored window at source resolution or smaller
    landmarks    float32 (68, 3)   in the normalised frame of the stored window
    depth        16-bit grey PNG, 96 x 96, over the stored window; see `depth_codec`
    person_id    text
    video_id     text
    frame        int64             index of the frame in its video
    source_size  int64 (2,)        height and width of the source frame, in pixels
    window       float32 (3,)      left, top, size of the stored window, source pixels
    face_size    float32           sqrt(w * h) of the face box, in source pixels

Records of version 1.1.0 contain two more features:

    visible      uint8 (68,)       what is known of each landmark; see `visibility`
    has_z        bool              whether z of the landmarks is a label

A conversion writes version 1.1.0 only if the labels of its corpus can be incomplete. A
corpus whose labels are complete gives the same bytes as before. All readers accept both
versions: without these features all landmarks are visible and z is a label.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ethos_data import depth_codec
from ethos_data.crop import Window
from ethos_data.topology import NUM_LANDMARKS
from ethos_data.visibility import UNLABELLED, UNSTATED

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

NAME: Final = "ethos_faces"
VERSION: Final = "1.0.0"
"""Version of a data set whose labels are complete."""

PARTIAL_VERSION: Final = "1.1.0"
"""Version of a data set with the features `visible` and `has_z`."""

DEPTH_SIZE: Final = 96
"""Width and height of the stored depth map, in pixels. It covers the stored window."""

DEPTH_RANGE: Final = (-1.0, 1.0)
"""Depth of the levels 1 and 65535, in normalised units (sides of the window)."""

JPEG_QUALITY: Final = 95


@dataclasses.dataclass(frozen=True)
class Record:
    """One frame of one video.

    Attributes:
      image: uint8 (S, S, 3), RGB, the stored window.
      landmarks: float32 (68, 3) in the normalised frame of the stored window.
      depth: float32 (96, 96) in normalised units. Larger is nearer, zero is the mean of
        the eye landmarks, NaN where the depth is unknown.
      person_id: Name of the person.
      video_id: Name of the video's file without its suffix.
      frame: Index of the frame in its video.
      source_size: Height and width of the source frame, in pixels.
      window: The stored window, in source pixels.
      face_size: sqrt(w * h) of the face box, in source pixels.
      visible: uint8 (68,), what is known of each landmark; see `visibility`. None in a
        data set of version 1.0.0, where all landmarks are labelled.
      has_z: Whether z of the landmarks is a label. Otherwise it is an estimate, and
        `depth` is unknown everywhere.
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
    visible: np.ndarray | None = None
    has_z: bool = True


def known_landmarks(record: Record) -> np.ndarray:
    """Landmarks with a label: bool (68,). The others are estimates."""
    if record.visible is None:
        return np.ones(NUM_LANDMARKS, bool)
    return record.visible > UNLABELLED


def _example_class() -> Any:
    """Builds the message class of `tf.train.Example` from its field numbers.

    Only the numbers are part of the encoding (tensorflow/core/example/example.proto
    and feature.proto). The class has other names in a separate pool, because TensorFlow
    registers the original names when it is imported later.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="ethos_example.proto", package="ethos", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto

    def add_message(name, *fields, parent=None):
        message = (parent.nested_type if parent else file.message_type).add(name=name)
        for number, (field_name, kind, repeated) in enumerate(fields, start=1):
            message.field.add(
                name=field_name,
                number=number,
                label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
                type=field.TYPE_MESSAGE if isinstance(kind, str) else kind,
                type_name=kind if isinstance(kind, str) else None,
            )
        return message

    add_message("BytesList", ("value", field.TYPE_BYTES, True))
    add_message("FloatList", ("value", field.TYPE_FLOAT, True))
    add_message("Int64List", ("value", field.TYPE_INT64, True))
    feature = add_message(
        "Feature",
        ("bytes_list", ".ethos.BytesList", False),
        ("float_list", ".ethos.FloatList", False),
        ("int64_list", ".ethos.Int64List", False),
    )
    feature.oneof_decl.add(name="kind")
    for alternative in feature.field:
        alternative.oneof_index = 0
    features = add_message(
        "Features", ("feature", ".ethos.Features.FeatureEntry", True)
    )
    entry = add_message(
        "FeatureEntry",
        ("key", field.TYPE_STRING, False),
        ("value", ".ethos.Feature", False),
        parent=features,
    )
    entry.options.map_entry = True
    add_message("Example", ("features", ".ethos.Features", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ethos.Example"))


_Example: Final = _example_class()


def encode(record: Record, *, jpeg_quality: int = JPEG_QUALITY) -> bytes:
    """Serializes a record as a `tf.train.Example`. The bytes are reproducible."""
    example = _Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(_jpeg(record.image, jpeg_quality))
    feature["landmarks"].float_list.value.extend(
        np.asarray(record.landmarks, np.float32).ravel().tolist()
    )
    levels = depth_codec.encode(record.depth, *DEPTH_RANGE)
    feature["depth"].bytes_list.value.append(depth_codec.to_png(levels))
    feature["person_id"].bytes_list.value.append(record.person_id.encode())
    feature["video_id"].bytes_list.value.append(record.video_id.encode())
    feature["frame"].int64_list.value.append(record.frame)
    feature["source_size"].int64_list.value.extend(record.source_size)
    window = record.window
    feature["window"].float_list.value.extend((window.left, window.top, window.size))
    feature["face_size"].float_list.value.append(record.face_size)
    if record.visible is not None:
        visible = np.asarray(record.visible, np.uint8)
        feature["visible"].int64_list.value.extend(visible.tolist())
        feature["has_z"].int64_list.value.append(int(record.has_z))
    # Without `deterministic` the order of the features would be that of a hash table.
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes) -> Record:
    """Reads a serialized `tf.train.Example` without TensorFlow.

    Raises:
      ValueError: `serialized` is not a record, or its images cannot be decoded.
    """
    try:
        feature = _Example.FromString(serialized).features.feature
        image = decode_image(feature["image"].bytes_list.value[0])
        levels = decode_depth(feature["depth"].bytes_list.value[0])
        landmarks = np.array(feature["landmarks"].float_list.value, np.float32)
        left, top, size = feature["window"].float_list.value
        height, width = feature["source_size"].int64_list.value
        partial = "visible" in feature
        visible = feature["visible"].int64_list.value if partial else None
        return Record(
            image=image,
            landmarks=landmarks.reshape(NUM_LANDMARKS, 3),
            depth=depth_codec.decode(levels, *DEPTH_RANGE),
            person_id=feature["person_id"].bytes_list.value[0].decode(),
            video_id=feature["video_id"].bytes_list.value[0].decode(),
            frame=feature["frame"].int64_list.value[0],
            source_size=(height, width),
            window=Window(left, top, size),
            face_size=feature["face_size"].float_list.value[0],
            visible=None if visible is None else np.array(visible, np.uint8),
            has_z=not partial or bool(feature["has_z"].int64_list.value[0]),
        )
    # protobuf and OpenCV have exception classes that are not ValueErrors.
    except Exception as error:
        raise ValueError(f"not a record of {NAME}: {error}") from error


def decode_image(jpeg: bytes) -> np.ndarray:
    """Decodes the feature `image`.

    Returns:
      uint8 (S, S, 3), RGB.

    Raises:
      ValueError: `jpeg` cannot be decoded, or the image is not square.
    """
    image = None
    if jpeg:  # OpenCV does not accept an empty buffer
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None or image.shape[0] != image.shape[1]:
        raise ValueError("the image cannot be decoded to a square")
    return image


def decode_depth(png: bytes) -> np.ndarray:
    """Decodes the feature `depth` to levels, uint16 (96, 96); see `depth_codec`.

    Raises:
      ValueError: `png` cannot be decoded or has another size.
    """
    return depth_codec.from_png(png, DEPTH_SIZE)


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def stored_jpeg(serialized: bytes) -> bytes:
    """Returns the JPEG image of a record as it is stored, without decoding it."""
    return _Example.FromString(serialized).features.feature["image"].bytes_list.value[0]


def features(version: str = VERSION) -> tfds.features.FeaturesDict:
    """Returns the TFDS features that `features.json` describes.

    Args:
      version: VERSION or PARTIAL_VERSION.
    """
    import tensorflow_datasets as tfds

    partial: dict[str, Any] = {}
    if version == PARTIAL_VERSION:
        partial = {
            "visible": tfds.features.Tensor(shape=(NUM_LANDMARKS,), dtype=np.uint8),
            "has_z": tfds.features.Scalar(dtype=np.bool_),
        }
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
        | partial
    )


def parse_tensors(serialized: Any) -> dict[str, Any]:
    """Parses serialized examples in a `tf.data` map. Images stay encoded.

    Args:
      serialized: String tensor () or (B,).

    Returns:
      The features by name, each with a leading axis B if `serialized` has one: `image`
      (JPEG), `depth` (PNG), `person_id` and `video_id` strings; `landmarks` float32
      (68, 3); `frame` int64; `source_size` int64 (2,); `window` float32 (3,);
      `face_size` float32; `visible` uint8 (68,), see `visibility`; `has_z` bool.
    """
    import tensorflow as tf

    parsed = tf.io.parse_example(
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
            # Records of version 1.0.0 do not contain these features.
            "visible": tf.io.FixedLenFeature(
                [NUM_LANDMARKS], tf.int64, [UNSTATED] * NUM_LANDMARKS
            ),
            "has_z": tf.io.FixedLenFeature([], tf.int64, 1),
        },
    )
    parsed["visible"] = tf.cast(parsed["visible"], tf.uint8)
    parsed["has_z"] = tf.cast(parsed["has_z"], tf.bool)
    return parsed


def decode_tensors(serialized: Any) -> dict[str, Any]:
    """Parses and decodes a serialized example in a `tf.data` map.

    Args:
      serialized: String tensor ().

    Returns:
      The features of `parse_tensors`, with `image` uint8 (S, S, 3), `depth` float32
      (96, 96, 1) in normalised units, 0 where it is unknown, and `depth_mask` float32
      (96, 96, 1), 1 where the depth is known and 0 elsewhere.
    """
    import tensorflow as tf

    parsed = parse_tensors(serialized)
    low, high = DEPTH_RANGE
    levels = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)
    levels = tf.ensure_shape(levels, (DEPTH_SIZE, DEPTH_SIZE, 1))
    mask = tf.cast(levels > 0, tf.float32)
    scale = (high - low) / depth_codec.STEPS
    depth = low + (tf.cast(levels, tf.float32) - 1.0) * scale
    image = tf.io.decode_jpeg(parsed["image"], channels=3)
    return parsed | {"image": image, "depth": depth * mask, "depth_mask": mask}
