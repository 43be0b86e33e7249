"""The framing of TFRecord files is TensorFlow's, and every damage is noticed."""

import io

import pytest

from ethos_data.storage import tfrecord


def test_tensorflow_reads_our_framing(tmp_path):
    import tensorflow as tf

    written = [b"", b"abc", bytes(range(256)) * 40]
    path = tmp_path / "shard"
    path.write_bytes(b"".join(map(tfrecord.frame, written)))
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(path))] == written
    assert list(tfrecord.read(io.BytesIO(path.read_bytes()))) == written


def test_rejects_a_shard_with_any_flipped_bit():
    shard = tfrecord.frame(b"first") + tfrecord.frame(b"second")
    for position in range(len(shard) * 8):
        broken = bytearray(shard)
        broken[position // 8] ^= 1 << position % 8
        with pytest.raises(tfrecord.TFRecordError):
            list(tfrecord.read(io.BytesIO(broken)))


def test_rejects_a_shard_that_is_truncated_inside_a_record():
    first = tfrecord.frame(b"first")
    shard = first + tfrecord.frame(b"second")
    for length in set(range(len(shard))) - {0, len(first)}:
        with pytest.raises(tfrecord.TFRecordError, match="ends inside"):
            list(tfrecord.read(io.BytesIO(shard[:length])))
