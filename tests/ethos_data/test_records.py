"""Records: what is written is what TFDS, TensorFlow and `decode` read back."""

import dataclasses
import io
import zlib

import cv2
import numpy as np
import pytest

from ethos_data import records
from ethos_data.crop import Window
from ethos_data.storage import npz, tfrecord


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


def assert_same(read: records.Record, written: records.Record) -> None:
    np.testing.assert_array_equal(read.landmarks, written.landmarks)
    np.testing.assert_array_equal(np.isnan(read.depth), np.isnan(written.depth))
    # One of 65,534 steps over two units.
    np.testing.assert_allclose(read.depth, written.depth, atol=1.01 / 65534)
    for name in (
        "person_id",
        "video_id",
        "frame",
        "source_size",
        "window",
        "face_size",
    ):
        assert getattr(read, name) == getattr(written, name)
    # JPEG halves the chroma's resolution; a smooth picture survives that.
    difference = np.abs(read.image.astype(int) - written.image)
    assert difference.mean() < 4


def test_decode_returns_what_was_encoded():
    written = make_record()
    assert_same(records.decode(records.encode(written)), written)


def test_the_same_record_gives_the_same_bytes():
    assert records.encode(make_record()) == records.encode(make_record())


def test_the_bytes_are_the_same_where_isal_is_missing(monkeypatch):
    fast = records.encode(make_record())
    read = records.decode(fast)
    monkeypatch.setattr(npz, "zlib", zlib)
    assert records.encode(make_record()) == fast
    np.testing.assert_array_equal(records.decode(fast).depth, read.depth)


@pytest.mark.parametrize(
    ("depth", "value"), [(-1.0, 1), (1.0, 65535), (0.0, 32768), (-9.0, 1), (np.nan, 0)]
)
def test_depth_values_follow_the_documented_formula(depth, value):
    assert records.depth_to_values(np.array([depth]))[0] == value


def test_decode_refuses_what_is_not_a_record():
    with pytest.raises(ValueError, match="not a record"):
        records.decode(b"\x00\x01 not an example")
    with pytest.raises(ValueError, match="not a record"):
        records.decode(b"")


@pytest.mark.parametrize("filters", ["ours", "sub", "up by OpenCV"])
def test_depth_of_any_png_is_read(filters):
    values = records.depth_to_values(make_record().depth)
    if filters == "ours":
        png = records._png(values)
    else:
        kind = cv2.IMWRITE_PNG_FILTER_UP
        kind = cv2.IMWRITE_PNG_FILTER_SUB if filters == "sub" else kind
        options = [cv2.IMWRITE_PNG_FILTER, kind]
        png = cv2.imencode(".png", values, options)[1].tobytes()
    np.testing.assert_array_equal(records.decode_depth(png), values)


def test_images_that_do_not_decode_are_refused():
    png = records._png(np.zeros((96, 96), np.uint16))
    for broken in (b"", b"text", png[:60], png[:60] + b"\0" + png[61:]):
        with pytest.raises(ValueError, match="96 x 96"):
            records.decode_depth(broken)
    with pytest.raises(ValueError, match="96 x 96"):
        records.decode_depth(records._png(np.zeros((96, 95), np.uint16)))
    wide = cv2.imencode(".jpg", np.zeros((8, 9, 3), np.uint8))[1].tobytes()
    for broken in (b"", b"text", wide):
        with pytest.raises(ValueError, match="square"):
            records.decode_image(broken)


def test_tensorflow_and_tfds_read_the_same_record():
    import tensorflow as tf

    written = make_record()
    serialized = records.encode(written)
    tensors = records.decode_tensors(tf.constant(serialized))
    by_tfds = records.features().deserialize_example(serialized)
    decoded = records.decode(serialized)
    for read in (tensors, by_tfds):
        # Two JPEG libraries may upsample the chroma differently.
        assert np.abs(read["image"].numpy().astype(int) - decoded.image).mean() < 2
        np.testing.assert_array_equal(read["landmarks"], written.landmarks)
        assert read["person_id"].numpy().decode() == written.person_id
        assert read["video_id"].numpy().decode() == written.video_id
        assert int(read["frame"]) == written.frame
        assert tuple(read["source_size"].numpy()) == written.source_size
        assert tuple(read["window"].numpy()) == dataclasses.astuple(written.window)
        assert float(read["face_size"]) == written.face_size
    known = ~np.isnan(written.depth)
    np.testing.assert_array_equal(tensors["depth_mask"][..., 0], known)
    np.testing.assert_allclose(
        tensors["depth"][..., 0].numpy()[known], written.depth[known], atol=1.01 / 65534
    )
    np.testing.assert_array_equal(
        by_tfds["depth"][..., 0], records.depth_to_values(written.depth)
    )


def test_tensorflow_reads_the_framing(tmp_path):
    import tensorflow as tf

    written = [b"", b"abc", bytes(range(256)) * 40]
    path = tmp_path / "shard"
    path.write_bytes(b"".join(map(tfrecord.frame, written)))
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(path))] == written
    assert list(tfrecord.read(io.BytesIO(path.read_bytes()))) == written


def test_every_flipped_bit_and_every_cut_is_noticed():
    shard = tfrecord.frame(b"first") + tfrecord.frame(b"second")
    for position in range(len(shard) * 8):
        broken = bytearray(shard)
        broken[position // 8] ^= 1 << position % 8
        with pytest.raises(tfrecord.TFRecordError):
            list(tfrecord.read(io.BytesIO(broken)))
    whole = {0, len(tfrecord.frame(b"first")), len(shard)}
    for length in set(range(len(shard))) - whole:
        with pytest.raises(tfrecord.TFRecordError):
            list(tfrecord.read(io.BytesIO(shard[:length])))
