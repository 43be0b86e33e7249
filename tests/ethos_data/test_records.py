"""TFDS, TensorFlow and `records.decode` read the record that was written."""

import dataclasses

import cv2
import numpy as np
import pytest

from ethos_data import depth_codec, records, visibility
from ethos_data.crop import Window


def make_record(seed: int = 0, side: int = 40) -> records.Record:
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.uniform(0, 255, (4, 4, 3)).astype(np.float32), (side, side))
    depth = rng.uniform(-0.5, 0.5, (96, 96)).astype(np.float32)
    depth[:20] = np.nan
    return records.Record(
        image=smooth.astype(np.uint8),
        landmarks=rng.uniform(0, 1, (68, 3)).astype(np.float32),
        depth=depth,
        person_id="Ömer_Özil",
        video_id="Ömer_Özil_3",
        frame=17,
        source_size=(120, 160),
        window=Window(10.5, -3.5, float(side)),
        face_size=21.25,
    )


def assert_same(actual: records.Record, expected: records.Record) -> None:
    np.testing.assert_array_equal(actual.landmarks, expected.landmarks)
    np.testing.assert_array_equal(np.isnan(actual.depth), np.isnan(expected.depth))
    # One of 65,534 steps over two units.
    np.testing.assert_allclose(actual.depth, expected.depth, atol=1.01 / 65534)
    for name in (
        "person_id",
        "video_id",
        "frame",
        "source_size",
        "window",
        "face_size",
    ):
        assert getattr(actual, name) == getattr(expected, name)
    # JPEG halves the resolution of the colours, which hardly changes a smooth image.
    assert np.abs(actual.image.astype(int) - expected.image).mean() < 4


def test_decode_returns_the_encoded_record():
    record = make_record()
    assert_same(records.decode(records.encode(record)), record)


def test_the_same_record_gives_the_same_bytes():
    assert records.encode(make_record()) == records.encode(make_record())


@pytest.mark.parametrize("serialized", [b"\x00\x01 not an example", b""])
def test_decode_rejects_other_bytes(serialized):
    with pytest.raises(ValueError, match="not a record"):
        records.decode(serialized)


def test_rejects_images_that_are_damaged_or_not_square():
    wide = cv2.imencode(".jpg", np.zeros((8, 9, 3), np.uint8))[1].tobytes()
    for jpeg in (b"", b"text", wide):
        with pytest.raises(ValueError, match="square"):
            records.decode_image(jpeg)


def test_tensorflow_and_tfds_read_the_same_record():
    import tensorflow as tf

    record = make_record()
    serialized = records.encode(record)
    tensors = records.decode_tensors(tf.constant(serialized))
    by_tfds = records.features().deserialize_example(serialized)
    decoded = records.decode(serialized)
    for result in (tensors, by_tfds):
        # Two JPEG libraries may upsample the colours differently.
        assert np.abs(result["image"].numpy().astype(int) - decoded.image).mean() < 2
        np.testing.assert_array_equal(result["landmarks"], record.landmarks)
        assert result["person_id"].numpy().decode() == record.person_id
        assert result["video_id"].numpy().decode() == record.video_id
        assert int(result["frame"]) == record.frame
        assert tuple(result["source_size"].numpy()) == record.source_size
        assert tuple(result["window"].numpy()) == dataclasses.astuple(record.window)
        assert float(result["face_size"]) == record.face_size
    known = ~np.isnan(record.depth)
    np.testing.assert_array_equal(tensors["depth_mask"][..., 0], known)
    np.testing.assert_allclose(
        tensors["depth"][..., 0].numpy()[known], record.depth[known], atol=1.01 / 65534
    )
    np.testing.assert_array_equal(
        by_tfds["depth"][..., 0],
        depth_codec.encode(record.depth, *records.DEPTH_RANGE),
    )


def test_partial_labels_are_stored_in_version_1_1_0():
    import tensorflow as tf

    visible = np.arange(68, dtype=np.uint8) % 3
    record = dataclasses.replace(make_record(), visible=visible, has_z=False)
    serialized = records.encode(record)
    decoded = records.decode(serialized)
    features = records.features(records.PARTIAL_VERSION)
    for visible_read, has_z in (
        (decoded.visible, decoded.has_z),
        *(
            (tensors["visible"].numpy(), bool(tensors["has_z"]))
            for tensors in (
                records.parse_tensors(tf.constant(serialized)),
                features.deserialize_example(serialized),
            )
        ),
    ):
        assert visible_read.dtype == np.uint8
        np.testing.assert_array_equal(visible_read, visible)
        assert not has_z


def test_records_of_version_1_0_0_have_complete_labels():
    import tensorflow as tf

    serialized = records.encode(make_record())
    decoded = records.decode(serialized)
    assert decoded.visible is None
    assert decoded.has_z
    tensors = records.parse_tensors(tf.constant(serialized))
    assert (tensors["visible"].numpy() == visibility.UNSTATED).all()
    assert bool(tensors["has_z"])


def test_the_stored_jpeg_is_not_encoded_again():
    serialized = records.encode(make_record())
    image = records.decode_image(records.stored_jpeg(serialized))
    np.testing.assert_array_equal(image, records.decode(serialized).image)
