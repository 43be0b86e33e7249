import itertools

import numpy as np
import pandas as pd
import pytest

import ethos_model.footage
from ethos_data.errors import EthosError
from ethos_model.footage import follow, open_video, to_dataframe
from ethos_model.footage.tables.columns import COLUMNS, LANDMARK_DECIMALS
from gui import annotate
from gui.sample import SAMPLE
from tests.ethos_model.footage import clips


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """A video of 8 frames that shows a rendered head."""
    with open_video(SAMPLE) as source:
        images = [source.read().image for _ in range(8)]
    return clips.write(str(tmp_path_factory.mktemp("heads") / "heads.mp4"), images)


@pytest.fixture(scope="module")
def frames(heads):
    return list(follow(heads))


def test_yields_every_frame_with_its_people(heads, frames):
    with open_video(heads) as source:
        for index, frame in enumerate(frames):
            assert frame.index == index
            assert frame.timestamp == pytest.approx(index / 25)
            np.testing.assert_array_equal(frame.image, source.read().image)
            assert frame.damage is None
            (person,) = frame.people
            assert person.id == 1
            assert person.face.landmarks.shape == (68, 3)


def test_the_table_is_that_of_the_command(heads, frames, tmp_path):
    path = str(tmp_path / "t.csv")
    assert annotate.main([heads, "--csv", path, "--no-refine"]) == 0
    expected = pd.read_csv(path, comment="#")
    table = to_dataframe(frames)
    assert list(table.columns) == list(expected.columns)
    assert (table["quality"] > 0.5).all()
    # The numbers of a CSV file are rounded.
    decimals = {column.name: column.decimals or 0 for column in COLUMNS}
    for name in expected:
        atol = 0.51 * 10.0 ** -decimals.get(name, LANDMARK_DECIMALS)
        np.testing.assert_allclose(table[name].astype(float), expected[name], atol=atol)
    assert table.attrs["damage"] == ""


def test_frames_are_read_on_demand(heads):
    frames = follow(heads)
    assert [frame.index for frame in itertools.islice(frames, 2)] == [0, 1]
    frames.close()  # releases the video


def test_a_table_without_frames_has_all_columns(frames):
    assert list(to_dataframe([]).columns) == list(to_dataframe(frames[:1]).columns)


def test_a_missing_video_is_named():
    with pytest.raises(EthosError, match=r"missing\.mp4: "):
        next(follow("missing.mp4"))


def test_every_exported_name_exists():
    for name in ethos_model.footage.__all__:
        assert callable(getattr(ethos_model.footage, name))
    # The name of a function must not be that of a module, which would replace it.
    assert callable(ethos_model.footage.follow)
