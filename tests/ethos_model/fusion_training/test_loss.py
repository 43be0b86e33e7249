"""Tests of the loss against numpy."""

import cv2
import numpy as np
import pytest

from ethos_data.grey import LUMA
from ethos_model.fusion_training import loss, network


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    shape = (2, 32, 32)
    return {
        "inputs": rng.random((*shape, 12), np.float32),
        "image": rng.random((*shape, 3), np.float32),
        "truth": rng.random((*shape, 1), np.float32),
        "mask": rng.random((*shape, 1), np.float32),
    }


@pytest.fixture
def outputs():
    rng = np.random.default_rng(1)
    return {
        "image": rng.random((2, 32, 32, 3), np.float32),
        "sigma": 0.05 + rng.random((2, 32, 32, 1), np.float32),
    }


def test_the_loss_equals_its_formula(batch, outputs):
    mask = batch["mask"]
    image_losses, sigma_losses = [], []
    for k in range(2):
        square = ((outputs["image"][k] - batch["image"][k]) ** 2).mean(
            -1, keepdims=True
        )
        mean = (mask[k] * square).sum() / mask[k].sum()
        image_losses.append(np.log10(mean + 1e-4))
        error = np.abs((outputs["image"][k] @ LUMA)[..., None] - batch["truth"][k])
        left = np.log((error + 1e-3) / (outputs["sigma"][k] + 1e-3))
        pinball = np.where(left > 0, 0.6827 * left, (0.6827 - 1) * left)
        sigma_losses.append((mask[k] * pinball).sum() / mask[k].sum())
    expected = np.mean(image_losses) + loss.SIGMA_WEIGHT * np.mean(sigma_losses)
    assert float(loss.total(outputs, batch)) == pytest.approx(expected, rel=1e-4)


def test_the_best_sigma_covers_two_thirds_of_the_errors(batch, outputs):
    rng = np.random.default_rng(2)
    truth = (outputs["image"] @ np.array(LUMA, np.float32))[..., None]
    batch["truth"] = truth + rng.normal(0, 0.1, truth.shape).astype(np.float32)
    batch["mask"][:] = 1
    losses = []
    candidates = np.linspace(0.05, 0.2, 31)
    for sigma in candidates:
        outputs["sigma"][:] = sigma
        losses.append(float(loss.total(outputs, batch)))
    assert candidates[np.argmin(losses)] == pytest.approx(0.1, abs=0.011)
    outputs["sigma"][:] = 0.1
    assert np.mean(loss.coverage(outputs, batch)) == pytest.approx(0.6827, abs=0.03)


def test_the_gain_is_the_difference_of_psnr(batch, outputs):
    def psnr(image):
        square = ((image - batch["image"]) ** 2).mean(-1, keepdims=True)
        weighted = (batch["mask"] * square).sum((1, 2, 3)) / batch["mask"].sum(
            (1, 2, 3)
        )
        return -10 * np.log10(weighted)

    expected = psnr(outputs["image"]) - psnr(batch["inputs"][..., :3])
    np.testing.assert_allclose(loss.gain(outputs, batch), expected, atol=1e-3)


def _filtered(images, sigma):
    border = cv2.BORDER_REFLECT_101
    return np.stack(
        [cv2.GaussianBlur(image, (0, 0), sigma, borderType=border) for image in images]
    )


def test_the_network_begins_with_the_mean_of_its_candidates(batch):
    model = network.build()
    outputs = model(batch["inputs"])
    frame, mean, sharp = (batch["inputs"][..., k : k + 3] for k in (0, 3, 6))
    sigmas = (1.0, np.sqrt(5))
    blurred = [_filtered(image, sigma) for image in (frame, mean) for sigma in sigmas]
    expected = np.mean([frame, mean, sharp, *blurred], axis=0)
    # A binomial filter is almost a Gaussian filter.
    np.testing.assert_allclose(outputs["image"], expected, atol=0.02)
    assert outputs["sigma"].shape == (2, 32, 32, 1)
    assert (outputs["sigma"].numpy() > 0).all()
