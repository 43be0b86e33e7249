"""The card of a model contains what a user needs, and nothing private."""

from __future__ import annotations

import json
import os

import pytest

from ethos_data import crop
from ethos_model import network
from ethos_model.exported import card
from tests.ethos_model.conftest import EXPORTED_SIZE


def test_describes_sizes_outputs_data_and_errors(exported):
    with open(os.path.join(exported, "ethos_model.json"), encoding="utf-8") as file:
        content = json.load(file)
    assert content["format_version"] == 1
    assert content["image_size"] == content["depth_size"] == EXPORTED_SIZE
    assert content["network_context"] == crop.NETWORK_CONTEXT
    assert content["training_data"]["fingerprint"] == "sha256:abc"
    assert content["validation"] == {"val_nme": 2.0, "val_degraded_nme": 3.0}
    assert set(content["outputs"]) == set(network.OUTPUTS)


def test_contains_file_names_without_their_directories():
    config = {
        "image_size": 96,
        "data_dir": "/home/me/data",
        "extra_data_dir": "/home/me/heads",
        "cache_dir": "/scratch/me",
        "workdir": "/home/me/run",
        "backbone_weights": "/home/me/backbone.h5",
        "initial_weights": "/home/me/first/best/",
    }
    meta = {"config": config, "history": [], "step": 7}
    training = card.make("model", meta, None)["training"]
    assert training == {
        "image_size": 96,
        "backbone_weights": "backbone.h5",
        "initial_weights": "best",
    }


def test_contains_the_errors_of_the_last_epoch():
    rows = [{"val_nme": nme, "val_degraded_nme": 2 * nme} for nme in (2.0, 9.0)]
    meta = {"config": {"image_size": 96}, "history": rows, "step": 7}
    assert card.make("model", meta, None)["validation"] == rows[1]


@pytest.mark.parametrize(
    ("row", "factor"),
    [
        ({"val_sigma_ratio": 0.5, "val_degraded_sigma_ratio": 0.72}, 0.6),
        ({"val_sigma_ratio": 1.21}, 1.1),
        ({}, 1.0),  # a run without validation
    ],
)
def test_the_uncertainty_factor_is_a_geometric_mean(row, factor):
    meta = {"history": [{"epoch": 1} | row]}
    assert card.uncertainty_factor(meta) == pytest.approx(factor)
    assert card.uncertainty_factor({"history": []}) == 1
