"""Fixtures for the tests of ethos-refine."""

from __future__ import annotations

import pytest

from tests.ethos_model import tiny
from tests.pipelines.refinement import tiny_refine


@pytest.fixture(scope="module")
def small():
    """Replaces network, degradations and number of heads, see `tiny_refine`."""
    from ethos_model import network
    from ethos_model.training import inputs
    from pipelines.refinement import heads

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "build", tiny.build)
        patch.setattr(inputs, "training_mix", tiny.darken)
        for name, value in (("PEOPLE", 3), ("HELD_OUT_PEOPLE", 1), ("FRAMES", 2)):
            patch.setattr(heads, name, value)
        yield


@pytest.fixture(scope="module")
def model(small, tmp_path_factory):
    """Directory of an exported model whose landmarks have an offset."""
    return tiny_refine.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def cache(small, tmp_path_factory):
    """Directory for the rendered heads."""
    return str(tmp_path_factory.mktemp("cache"))
