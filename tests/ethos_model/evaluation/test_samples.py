"""Stored crops: window and ground truth of the network, and order of the frames."""

import shutil

import numpy as np
import pytest

from ethos_data import crop, dataset, topology
from ethos_data.errors import EthosError
from ethos_model.evaluation import baseline, samples
from tests.ethos_model.evaluation.conftest import FRAMES, PEOPLE, make_record


def test_samples_agree_with_the_input_pipeline(data_dir):
    read = list(samples.read_samples(data_dir, "test"))
    batch = next(iter(dataset.load(data_dir, "test", image_size=48, batch_size=64)))
    assert len(read) == len(batch["image"]) == PEOPLE * FRAMES
    for i, sample in enumerate(read):
        assert sample.video_id == batch["video_id"][i].numpy().decode()
        assert sample.frame == batch["frame"][i].numpy()
        # The two JPEG decoders round differently. The difference must be much smaller
        # than that of a window that is shifted by one source pixel.
        window = sample.window
        shifted = crop.Window(window.left + 1, window.top, window.size)
        difference, shifted_difference = (
            np.abs(batch["image"][i].numpy() - image.astype(int)).mean()
            for image in (
                sample.network_image(48),
                sample.network_image(48, window=shifted),
            )
        )
        assert difference < shifted_difference / 3
        np.testing.assert_allclose(sample.landmarks, batch["landmarks"][i], atol=1e-5)
        depth, mask = sample.network_depth(48)
        other = batch["depth_mask"][i, ..., 0].numpy() > 0
        # Pixels at the border of the mask depend on rounding.
        assert (mask != other).mean() < 0.005
        both = mask & other
        assert both.any()
        expected = batch["depth"][i, ..., 0].numpy()
        np.testing.assert_allclose(depth[both], expected[both], atol=1e-4)
        assert sample.face_size == pytest.approx(float(batch["face_size"][i]), rel=1e-4)


def test_a_reduced_crop_is_enlarged_to_source_pixels():
    record = make_record(1, 2, size=70.0, stored=90)
    sample = samples.to_sample(record)
    assert sample.image.shape == (round(record.window.size),) * 2 + (3,)
    box = topology.face_box(record.window.to_source(record.landmarks))
    window = crop.window_around(box, crop.NETWORK_CONTEXT)
    assert sample.window.size == window.size
    exact = samples.to_sample(make_record(1, 2, size=70.0))
    np.testing.assert_allclose(sample.landmarks, exact.landmarks)
    difference = np.abs(sample.network_image(64) - exact.network_image(64).astype(int))
    # Reducing the image lowers the contrast of the thin lines.
    assert difference.mean() < 12


def test_the_window_is_the_face_box_with_the_context_of_the_network(data_dir):
    for sample in samples.read_samples(data_dir, "test"):
        x0, y0, x1, y1 = topology.face_box(sample.landmarks)
        longer = max(x1 - x0, y1 - y0)
        assert longer == pytest.approx(1 / crop.NETWORK_CONTEXT, abs=0.02)
        assert (x0 + x1) / 2 == pytest.approx(0.5, abs=0.02)


def test_a_limit_selects_frames_spread_over_the_split(data_dir):
    limited = list(samples.read_samples(data_dir, "test", limit=4))
    assert len(limited) == samples.count(data_dir, "test", limit=4) == 4
    split = [(s.video_id, s.frame) for s in samples.read_samples(data_dir, "test")]
    indices = [split.index((s.video_id, s.frame)) for s in limited]
    assert indices == sorted(indices)
    assert indices[0] == 0
    assert indices[-1] == len(split) - 1


def test_network_landmarks_are_those_of_the_samples(data_dir):
    expected = [s.landmarks for s in samples.read_samples(data_dir, "train")]
    landmarks = samples.read_network_landmarks(data_dir, "train")
    np.testing.assert_allclose(landmarks, expected, atol=1e-6)
    assert len(samples.read_network_landmarks(data_dir, "train", limit=3)) == 3


def test_the_mean_face_comes_from_the_training_split(data_dir):
    mean = baseline.mean_face(data_dir, "test")
    assert (mean.split, mean.frames) == ("train", PEOPLE * FRAMES)
    expected = samples.read_network_landmarks(data_dir, "train").mean(axis=0)
    np.testing.assert_allclose(mean.landmarks, expected)
    assert np.isfinite(mean.depth(32)).any()


@pytest.mark.parametrize("split", ["validation", "nonsense"])
def test_a_missing_split_is_reported(data_dir, split):
    with pytest.raises(EthosError, match=split):
        list(samples.read_samples(data_dir, split))


def test_a_damaged_shard_is_reported_with_its_path(data_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data_dir, copy)
    shard = copy / "ethos_faces/1.0.0/ethos_faces-test.tfrecord-00001-of-00002"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(EthosError, match=r"test\.tfrecord-00001"):
        list(samples.read_samples(copy, "test"))
