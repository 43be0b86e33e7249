"""Tests of loading fusion models: problems are reported in one line."""

import json

import pytest

from ethos_data.errors import EthosError
from ethos_model.footage.fusion.network import CARD, CHANNELS, LITE, FusionNetwork


def write_card(directory, **changes):
    card = {"format_version": 1, "channels": CHANNELS, "size": 224} | changes
    (directory / CARD).write_text(json.dumps(card))


def test_a_directory_without_a_model(tmp_path):
    with pytest.raises(EthosError, match=f"contains no {CARD}"):
        FusionNetwork(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[1]", '{"format_version": "x"}', "{}"])
def test_a_damaged_card(tmp_path, content):
    (tmp_path / CARD).write_text(content)
    with pytest.raises(EthosError, match="not the card of a fusion model"):
        FusionNetwork(str(tmp_path))


@pytest.mark.parametrize("changes", [{"format_version": 9}, {"channels": 3}])
def test_a_model_of_another_version(tmp_path, changes):
    write_card(tmp_path, **changes)
    with pytest.raises(EthosError, match="another version"):
        FusionNetwork(str(tmp_path))


def test_a_damaged_network(tmp_path):
    write_card(tmp_path)
    (tmp_path / LITE).write_bytes(b"not a network")
    with pytest.raises(EthosError, match="not a LiteRT model"):
        FusionNetwork(str(tmp_path))


def test_the_shipped_network_is_loaded_once():
    assert FusionNetwork.shipped() is FusionNetwork.shipped()
