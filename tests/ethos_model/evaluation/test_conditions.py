"""Conditions: selection, degradations of source and input, and shifted windows."""

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
    selected = conditions.select(["source"])
    assert [condition.key for condition in selected] == [
        "clean",
        "downsample4",
        "dark5",
        "blur15",
    ]
    selected = conditions.select(["motion_blur-3", "interlacing"])
    assert [condition.key for condition in selected] == [
        "clean",
        "motion_blur-3",
        *(f"interlacing-{severity}" for severity in range(1, 6)),
    ]
    with pytest.raises(EthosError, match="fog"):
        conditions.select(["fog"])


def test_trained_degradations_are_those_of_the_training_mix():
    from ethos_data import degrade

    layers = [type(layer) for layer in degrade.training_mix().layers]
    trained = [type(degrade.at_severity(name, 3)) for name in conditions.TRAINED]
    assert trained == layers


def test_unseen_degradations_are_not_in_the_training_mix():
    from ethos_data import degrade

    assert not set(corruptions.CORRUPTIONS) & set(degrade.SEVERITY)
    assert sorted(conditions.TRAINED) == sorted(degrade.SEVERITY)


def test_keys_of_conditions_are_unique():
    all_conditions = conditions.all_conditions()
    assert len({c.key for c in all_conditions}) == len(all_conditions)


def test_source_conditions_degrade_the_crop_in_source_pixels(sample):
    degraded = Condition("source", "downsample4").degrade_source(sample, 0)
    np.testing.assert_array_equal(degraded, source.downsample4(sample.image))
    assert CLEAN.degrade_source(sample, 0) is None


@pytest.mark.parametrize("name", ["dark5", "blur15"])
def test_source_degradation_depends_only_on_the_seed(sample, name):
    condition = Condition("source", name)
    first = condition.degrade_source(sample, 5)
    np.testing.assert_array_equal(first, condition.degrade_source(sample, 5))
    assert (first != condition.degrade_source(sample, 6)).any()


@pytest.mark.parametrize("name", corruptions.CORRUPTIONS)
def test_corruptions_become_stronger_with_severity(sample, name):
    changes = []
    for severity in conditions.SEVERITIES:
        degraded = Condition("unseen", name, severity).degrade_source(sample, 1)
        assert degraded.dtype == np.uint8
        assert degraded.shape == sample.image.shape
        changes.append(np.abs(degraded.astype(int) - sample.image).mean())
    assert np.all(np.diff(changes) > 0), changes
    assert changes[0] > 0.5


def test_interlacing_keeps_the_mean_position_of_a_line():
    image = np.zeros((60, 60, 3), np.uint8)
    image[:, 30] = 200
    rng = np.random.default_rng(0)
    woven = corruptions.interlacing(image, 100.0, 5, rng)[..., 0].astype(float)
    columns = (woven * np.arange(60)).sum(axis=1) / woven.sum(axis=1)
    assert columns.mean() == pytest.approx(30)
    # The shift is 7 % of 100 px, half of it to each side.
    np.testing.assert_allclose(np.abs(columns - 30), 3.5, atol=0.05)


def test_layers_degrade_the_input_of_the_network():
    images = np.full((3, 48, 48, 3), 200, np.uint8)
    condition = Condition("trained", "low_light", 3)
    darker = condition.degrade_input(images, np.full(3, 0.7), 3)
    assert darker.dtype == np.uint8
    assert darker.mean() == pytest.approx(40, abs=3)  # a fifth of 200
    again = condition.degrade_input(images, np.full(3, 0.7), 3)
    np.testing.assert_array_equal(darker, again)
    assert CLEAN.degrade_input(images, np.full(3, 0.7), 3) is images


@pytest.mark.parametrize("severity", conditions.SEVERITIES)
def test_a_loose_box_moves_the_window_and_not_the_landmarks(sample, severity):
    condition = Condition("box", "loose_box", severity)
    moved = condition.move(sample, 4)
    assert moved.window != sample.window
    # The landmarks are the same in source pixels.
    np.testing.assert_allclose(
        moved.window.to_source(moved.landmarks)[:, :2],
        sample.window.to_source(sample.landmarks)[:, :2],
    )
    centres = [
        np.array([w.left, w.top]) + w.size / 2 for w in (sample.window, moved.window)
    ]
    distance = np.linalg.norm(centres[1] - centres[0]) / sample.source_face_size
    expected = conditions.BOX_ERROR[severity - 1]
    # Windows move by whole pixels, and the face size is 80 pixels.
    assert distance == pytest.approx(expected, abs=0.02)
    assert moved.network_image(32).shape == (32, 32, 3)
    assert condition.degrade_source(sample, 0) is None
    assert CLEAN.move(sample, 4) is sample


def test_the_stored_crop_contains_the_window_of_the_loosest_box(sample):
    for seed in range(50):
        window = Condition("box", "loose_box", 5).move(sample, seed).window
        assert min(window.left, window.top) >= -0.5
        assert max(window.left, window.top) + window.size <= len(sample.image) - 0.5
