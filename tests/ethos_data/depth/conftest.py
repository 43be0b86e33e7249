"""What the tests of the depth prior share."""

from __future__ import annotations

import pytest

from ethos_data.depth import learn, template
from ethos_data.depth.prior import Prior
from ethos_data.heads.model import HeadModel


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return HeadModel.builtin()


@pytest.fixture(scope="module")
def built(model) -> template.Template:
    return template.build(model)


@pytest.fixture(scope="module")
def trained(model) -> Prior:
    return learn.fit(model, num_heads=80, num_components=25, seed=0)
