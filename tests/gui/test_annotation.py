"""The annotation of one video from Python."""

import dataclasses

import numpy as np
import pytest

from ethos_model.footage.tracker import FaceTracker
from gui import annotation, jobs
from gui.viewer.session import Setup
from tests.ethos_model.footage import clips
from tests.gui import fakes


@pytest.mark.parametrize("beside", [(), ("restored", "depth")])
def test_two_passes_improve_the_tracks_before_drawing(tmp_path, beside):
    clip = fakes.write_video(str(tmp_path / "clip.avi"), 30, faceless=range(20, 30))
    loaded = fakes.load(Setup())
    tracker = FaceTracker(loaded.predictor, loaded.finder)
    seen = []

    def refine(tracks):
        seen.append(tracks)
        # Frames 20 to 29 have no face. The face of frame 19 is put into frame 20.
        filled = dataclasses.replace(tracks[20], faces=tracks[19].faces)
        return [*tracks[:20], filled, *tracks[21:]]

    job = jobs.AnnotationJob(clip, str(tmp_path / "v.mp4"), (str(tmp_path / "t.npz"),))
    result = annotation.annotate(
        job,
        tracker,
        annotation.AnnotateOptions(beside=beside),
        refine=refine,
        predictor=loaded.predictor,
        show_progress=False,
    )
    assert (result.frames, result.with_face) == (30, 21)
    (tracks,) = seen
    assert [entry.index for entry in tracks] == list(range(30))
    assert tracks[5].faces[0].face.depth.size == 0  # images are not kept in memory
    with np.load(tmp_path / "t.npz") as table:
        assert table["frame"].tolist() == list(range(21))
        np.testing.assert_array_equal(table["landmarks"][20], table["landmarks"][19])
    assert len(clips.read_all(str(tmp_path / "v.mp4"))) == 30
