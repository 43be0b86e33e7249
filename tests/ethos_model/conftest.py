"""What the tests of training share."""

from __future__ import annotations

import pytest

from ethos_model import inputs, network
from tests.ethos_model import tiny


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A converted data set of a few faces; see `tiny`."""
    return tiny.write_data(str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def tiny_network():
    """The tiny network and its degradation stand in for the library's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "build", tiny.build)
        patch.setattr(inputs, "training_mix", tiny.darken)
        yield
