"""Degrading for evaluation: where, how strongly, and the same for everybody."""

import numpy as np
import pytest

from ethos_data.degrade import source
from ethos_data.errors import EthosError
from ethos_model.evaluation import conditions, corruptions, samples
from ethos_model.evaluation.conditions import CLEAN, Condition
from tests.ethos_model.evaluation.conftest import make_record


@pytest.fixture(scope="module")
def sample():
    return samples.to_sample(make_record(0, 1, size=80.0))


def test_select_by_kind_name_and_key():
    four = conditions.select(["source"])
    assert [one.key for one in four] == ["clean", "downsample4", "dark5", "blur15"]
    some = conditions.select(["motion_blur-3", "interlacing"])
    assert [one.key for one in some] == [
        "clean",
        "motion_blur-3",
        *(f"interlacing-{severity}" for severity in range(1, 6)),
    ]
    with pytest.raises(EthosError, match="fog"):
        conditions.select(["fog"])


def test_what_is_unseen_is_not_in_the_training_mix():
    from ethos_data import degrade

    drawn = {type(layer).__name__ for layer in degrade.training_mix().layers}
    every = conditions.all_conditions()
    for one in every:
        if one.name in corruptions.CORRUPTIONS or one.kind not in ("trained", "unseen"):
            continue
        layer = degrade.at_severity(one.name, one.severity)
        assert (type(layer).__name__ in drawn) == (one.kind == "trained"), one
    assert len({one.key for one in every}) == len(every)


def test_source_conditions_degrade_the_crop_in_source_pixels(sample):
    worse = Condition("source", "downsample4").degrade_source(sample, 0)
    np.testing.assert_array_equal(worse, source.downsample4(sample.image))
    assert CLEAN.degrade_source(sample, 0) is None


@pytest.mark.parametrize("name", ["dark5", "blur15"])
def test_a_frame_is_degraded_alike_for_every_model(sample, name):
    one = Condition("source", name)
    first = one.degrade_source(sample, 5)
    np.testing.assert_array_equal(first, one.degrade_source(sample, 5))
    assert (first != one.degrade_source(sample, 6)).any()


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_corruptions_grow_with_severity(sample, name):
    changes = []
    for severity in conditions.SEVERITIES:
        worse = Condition("unseen", name, severity).degrade_source(sample, 1)
        assert worse.dtype == np.uint8
        assert worse.shape == sample.image.shape
        changes.append(np.abs(worse.astype(int) - sample.image).mean())
    assert np.all(np.diff(changes) > 0), changes
    assert changes[0] > 0.5


def test_interlacing_leaves_a_line_where_it_was():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, 30] = 200
    rng = np.random.default_rng(0)
    woven = corruptions.interlacing(image, 100.0, 5, rng)[..., 0].astype(float)
    columns = (woven * np.arange(60)).sum(axis=1) / woven.sum(axis=1)
    assert columns.mean() == pytest.approx(30)
    # 7 % of 100 px, half to each side.
    np.testing.assert_allclose(np.abs(columns - 30), 3.5, atol=0.05)


def test_layers_work_on_the_networks_input():
    images = np.full((3, 48, 48, 3), 200, np.uint8)
    one = Condition("trained", "low_light", 3)
    darker = one.degrade_input(images, np.full(3, 0.7), 3)
    assert darker.dtype == np.uint8
    assert darker.mean() == pytest.approx(40, abs=3)  # a fifth of the light
    np.testing.assert_array_equal(darker, one.degrade_input(images, np.full(3, 0.7), 3))
    assert CLEAN.degrade_input(images, np.full(3, 0.7), 3) is images


@pytest.mark.parametrize("severity", conditions.SEVERITIES)
def test_a_loose_box_moves_the_window_and_the_truth_with_it(sample, severity):
    one = Condition("box", "loose_box", severity)
    moved = one.move(sample, 4)
    assert moved.window != sample.window
    # The same points of the same picture, told in another frame of reference.
    np.testing.assert_allclose(
        moved.window.to_source(moved.landmarks)[:, :2],
        sample.window.to_source(sample.landmarks)[:, :2],
    )
    middles = [
        np.array([w.left, w.top]) + w.size / 2 for w in (sample.window, moved.window)
    ]
    distance = np.linalg.norm(middles[1] - middles[0]) / sample.source_face_size
    part = conditions.BOX_ERROR[severity - 1]
    assert distance == pytest.approx(part, abs=0.02)  # whole pixels of a face of 80
    assert moved.network_image(32).shape == (32, 32, 3)
    assert one.degrade_source(sample, 0) is None
    assert CLEAN.move(sample, 4) is sample


def test_the_stored_crop_holds_the_loosest_window(sample):
    for seed in range(50):
        window = Condition("box", "loose_box", 5).move(sample, seed).window
        assert min(window.left, window.top) >= -0.5
        assert max(window.left, window.top) + window.size <= len(sample.image) - 0.5
