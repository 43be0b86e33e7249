"""Each format is detected, and its landmarks and images are read exactly."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import scipy.io

from ethos_data import visibility
from ethos_data.corpora import formats
from ethos_data.corpora.source import Listing
from ethos_data.corpora.video import CorpusError, Video
from ethos_data.errors import EthosError
from tests.ethos_data import videos
from tests.ethos_data.corpora import layouts

LAYOUTS: dict[str, tuple[str, Callable[[pathlib.Path], None]]] = {
    "helen": ("pts", layouts.pts),
    "merl_rav": ("pts", layouts.merl_rav),
    "cofw68": ("cofw68", layouts.cofw68),
    "wflw": ("wflw", layouts.wflw),
    "coco": ("coco", layouts.coco),
    "300vw": ("300vw", layouts.video_300vw),
    "aflw2000": ("mat", layouts.mat),
    "300w_lp": ("mat", layouts.mat_300w_lp),
    "csv": ("csv", layouts.csv_images),
    "openface": ("video_csv", layouts.openface),
    "ethos": ("video_csv", layouts.ethos),
    "deeplabcut": ("video_csv", layouts.deeplabcut),
}
WITH_Z = {"aflw2000", "csv", "ethos"}
PEOPLE = {"300vw": 3, "300w_lp": 2, "csv": 2, "openface": 2, "ethos": 3}


def read_all(directory: pathlib.Path, name: str, **arguments: int) -> list[Video]:
    listing = Listing(str(directory))
    sources = formats.find_sources(listing, name, None)
    read = formats.FORMATS[name].read
    limits = arguments.get("stride", 1), arguments.get("max_frames")
    return [v for s in sources for v in read(listing.corpus_dir, s, *limits)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reads_each_published_layout(layout, tmp_path):
    name, write = LAYOUTS[layout]
    write(tmp_path)
    assert formats.detect(Listing(str(tmp_path))) == name
    parts = read_all(tmp_path, name)
    for part in parts:
        count = len(part.frames)
        assert part.visible.shape == (count, 68)
        assert (part.has_z == (layout in WITH_Z)).all()
        single = formats.FORMATS[name].images
        for row in range(count):
            number = int(part.frame_numbers[row])
            seed = int(np.argmax(_likeness(part.frames[row])))
            assert single or seed == number
            np.testing.assert_array_equal(part.frames[row], layouts.image(seed))
            expected = layouts.landmarks(seed)
            if layout not in WITH_Z:
                expected[:, 2] = np.nan
            known = part.visible[row] > 0
            np.testing.assert_allclose(
                part.landmarks[row][known], expected[known], atol=1e-4
            )
            assert np.isnan(part.landmarks[row][~known]).all()
    ids = {part.video_id for part in parts}
    assert len(ids) == len(parts)
    people = {part.person_id for part in parts}
    assert len(people) == PEOPLE.get(layout, len(parts))


def _likeness(frame: np.ndarray) -> list[float]:
    images = map(layouts.image, range(layouts.FACES))
    return [-np.abs(image.astype(int) - frame).mean() for image in images]


def test_coco_flags_become_visible(tmp_path):
    layouts.coco(tmp_path)
    first = read_all(tmp_path, "coco")[0]
    assert first.visible[0, :6].tolist() == [2, 2, 2, 0, 1, 2]


def test_signs_of_merl_rav_become_visible(tmp_path):
    layouts.merl_rav(tmp_path)
    for video in read_all(tmp_path, "pts"):
        assert video.visible[0, :6].tolist() == [2, 2, 2, 0, 1, 2]


def test_a_landmark_outside_of_an_image_of_300w_is_not_hidden(tmp_path):
    layouts.write_image(tmp_path / "afw" / "a.png", 0)
    points = layouts.landmarks(0)
    points[3, :2] = -4.5, 7
    (tmp_path / "afw" / "a.pts").write_text(layouts.pts_text(points))
    (video,) = read_all(tmp_path, "pts")
    np.testing.assert_allclose(video.landmarks[0, 3, :2], [-4.5, 7])
    assert (video.visible == visibility.UNSTATED).all()


def test_cofw68_flags_become_visible(tmp_path):
    layouts.cofw68(tmp_path)
    for video in read_all(tmp_path, "cofw68"):
        assert video.visible[0, :6].tolist() == [2, 2, 2, 2, 1, 2]


def test_grey_images_of_cofw_in_an_old_mat_file(tmp_path):
    layouts.write_cofw_labels(tmp_path, 2, layouts.landmarks(1))
    cells = np.empty((2, 1), object)
    for k in range(2):
        cells[k, 0] = layouts.image(k)[..., 1]
    scipy.io.savemat(tmp_path / "COFW_test.mat", {"IsT": cells})
    (video,) = read_all(tmp_path, "cofw68")
    expected = np.repeat(layouts.image(1)[None, ..., 1:2], 3, axis=3)
    np.testing.assert_array_equal(video.frames, expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nothing", "not a readable .mat file"),
        (b"\x89HDF\r\n\x1a\n", "not a readable .mat file"),
        (None, "contains 1 images, not 4"),
    ],
)
def test_damaged_images_of_cofw_are_named(content, reason, tmp_path):
    layouts.cofw68(tmp_path)
    path = tmp_path / "COFW_color" / "COFW_test_color.mat"
    if content is None:
        layouts.write_cofw_images(path, [layouts.image(0)])
    else:
        path.write_bytes(content)
    source = formats.find_sources(Listing(str(tmp_path)), "cofw68", None)[-1]
    with pytest.raises(CorpusError, match=reason) as error:
        list(formats.FORMATS["cofw68"].read(str(tmp_path), source, 1, None))
    assert error.value.path == str(path)


def test_deeplabcut_landmarks_with_low_likelihood_have_no_label(tmp_path):
    layouts.deeplabcut(tmp_path)
    first = read_all(tmp_path, "video_csv")[0]
    assert (first.visible == 0).nonzero()[1].tolist() == [7] * layouts.FACES


def test_rows_of_failed_frames_are_left_out(tmp_path):
    layouts.openface(tmp_path)
    first, second = read_all(tmp_path, "video_csv")
    assert first.frame_numbers.tolist() == [0, 1, 2, 3]
    assert second.frame_numbers.tolist() == [1, 2, 3]


def test_reads_some_frames_of_a_video(tmp_path):
    layouts.video_300vw(tmp_path)
    first = read_all(tmp_path, "300vw", stride=2)[0]
    assert first.frame_numbers.tolist() == [0, 2]
    np.testing.assert_array_equal(first.frames[1], layouts.image(2))
    first = read_all(tmp_path, "300vw", max_frames=1)[0]
    assert first.frame_numbers.tolist() == [0]


def test_other_files_between_the_labels_of_300vw_are_ignored(tmp_path):
    layouts.video_300vw(tmp_path)
    annotations = tmp_path / "001" / "annot"
    (annotations / "._000001.pts").write_bytes(b"\x00\x05\x16\x07")  # macOS
    (annotations / "old").mkdir()
    (annotations / "old" / "000009.pts").write_text("nothing")
    first = read_all(tmp_path, "300vw")[0]
    assert first.frame_numbers.tolist() == [0, 1, 2, 3]


def test_npz_is_detected_first_and_other_directories_are_refused(tmp_path):
    with pytest.raises(EthosError, match="no corpus of another format"):
        formats.detect(Listing(str(tmp_path)))
    videos.write_video(tmp_path / "Some_One_1.npz")
    layouts.write_image(tmp_path / "cover.png", 0)
    assert formats.detect(Listing(str(tmp_path))) == "npz"


def test_npz_files_may_state_which_landmarks_are_labels(tmp_path):
    arrays = videos.make_arrays(frames=3)
    visible = np.ones((68, 3), bool)
    visible[5, 1] = False
    arrays["landmarks3D"][9, :, 2] = np.nan
    np.savez(tmp_path / "Some_One_1.npz", **arrays, visible=visible, hasZ=[1, 0, 1])
    listing = Listing(str(tmp_path))
    assert formats.has_partial_labels(listing, "npz")
    (video,) = read_all(tmp_path, "npz")
    assert video.visible[:, 5].tolist() == [2, 1, 2]
    assert video.visible[:, 9].tolist() == [2, 2, 0]
    assert video.has_z.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing", "not a .pts file"),
        ("{\n1 2\n}", "1 landmarks, not 68"),
        ("{\n1 2 3\n}", "3 coordinates"),
        ("{\nx y\n}", "could not convert"),
    ],
)
def test_damaged_pts_files_are_named(text, reason, tmp_path):
    layouts.write_image(tmp_path / "a.png", 0)
    (tmp_path / "a.pts").write_text(text)
    with pytest.raises(CorpusError, match=reason) as error:
        read_all(tmp_path, "pts")
    assert error.value.path.endswith("a.pts")


def test_sources_that_cannot_be_used_have_a_problem(tmp_path):
    layouts.pts(tmp_path)
    layouts.write_image(tmp_path / "alone.png", 0)
    (tmp_path / "lost.pts").write_text(layouts.pts_text(layouts.landmarks(0)))
    sources = formats.find_sources(Listing(str(tmp_path)), "pts", None)
    problems = {source.path: source.problem for source in sources if source.problem}
    assert problems == {
        "alone.png": "has no file alone.pts",
        "lost.pts": "has no image of the same name",
    }


def test_the_person_pattern_finds_people_in_paths(tmp_path):
    layouts.pts(tmp_path)
    listing = Listing(str(tmp_path))
    sources = formats.find_sources(listing, "pts", r"/(\d)_1")
    assert [source.person_id for source in sources] == ["0", "1", "2", "3"]
    sources = formats.find_sources(listing, "pts", r"/([01])_1")
    problems = [source.problem for source in sources]
    assert problems == ["", ""] + ["its path does not match --person_pattern"] * 2
