"""From a model to a report, with models whose error is known."""

import json

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import metrics
from ethos_model.evaluation import baseline, conditions, samples, summary
from ethos_model.evaluation.conditions import CLEAN
from ethos_model.evaluation.gather import Network, gather
from ethos_model.evaluation.report import page, tables
from tests.ethos_model.evaluation.conftest import FRAMES, PEOPLE, Constant

SIZE = 48
WANTED = ("source", "low_light", "side_light-3", "loose_box-2")


class Oracle(Constant):
    """Knows the truth of each frame by its picture and misses it by a known shift."""

    def __init__(self, data_dir, shift):
        every = list(samples.read_samples(data_dir, "test"))
        self.truth = {s.network_image(SIZE).tobytes(): s for s in every}
        self.shift = np.array([shift, 0, 0.01])
        super().__init__(every[0].landmarks + 0.05)

    def __call__(self, images):
        outputs = super().__call__(images)
        for i, image in enumerate(images):
            if sample := self.truth.get(image.tobytes()):
                outputs["landmarks"][i] = sample.landmarks + self.shift
                depth, _ = sample.network_depth(SIZE)
                outputs["depth"][i, ..., 0] = depth + 0.3
                outputs["restored"][i, ..., 0] = (
                    image @ np.array([0.299, 0.587, 0.114]) / 255
                )
        return outputs


def run(model, data_dir, wanted=WANTED, other=None):
    mean = baseline.mean_face(data_dir, "test")
    network = Network("<fake>", model, SIZE, SIZE)
    beside = None if other is None else Network("other", other, 32, 32)
    found = gather(
        network,
        samples.read_samples(data_dir, "test"),
        conditions.select(wanted),
        mean,
        total=PEOPLE * FRAMES,
        baseline=beside,
    )
    return summary.report(
        found, mean, network, data_dir=str(data_dir), split="test", baseline=beside
    )


@pytest.fixture(scope="module")
def report(data_dir):
    """The oracle beside a model that answers nonsense."""
    nonsense = Constant(np.zeros((68, 3)))
    return run(Oracle(data_dir, 0.02), data_dir, other=nonsense)


def test_a_known_error_comes_out(report, data_dir):
    sizes = [s.face_size for s in samples.read_samples(data_dir, "test")]
    clean = report.condition("clean")
    assert clean.nme_box == pytest.approx(np.mean(100 * 0.02 / np.array(sizes)), 1e-4)
    assert clean.z_error == pytest.approx(np.mean(100 * 0.01 / np.array(sizes)), 1e-4)
    assert clean.depth_error == pytest.approx(0, abs=1e-3)
    assert clean.restored_psnr > 90
    low, high = clean.nme_box_interval
    assert low < clean.nme_box < high
    assert clean.over_clean == 0
    np.testing.assert_allclose(clean.over_clean_interval, 0, atol=1e-9)
    np.testing.assert_allclose(clean.psnr_gain_interval, 0, atol=1)
    assert clean.failure_rate == 0
    # x is wrong by exactly one stated deviation, give or take float32; y is right.
    assert clean.within_1_sigma >= 50
    assert clean.stated_sigma == pytest.approx(clean.nme_box, 1e-4)


def test_degraded_pictures_reach_the_model(report):
    """The oracle does not know them, and answers something that is far off."""
    dark = report.condition("dark5")
    assert dark.nme_box > 2 * report.condition("clean").nme_box
    assert dark.input_psnr < 30
    clean = report.condition("clean")
    above = 100 * (dark.nme_box - clean.nme_box) / clean.nme_box
    assert dark.over_clean == pytest.approx(above)
    low, high = dark.over_clean_interval
    assert 100 < low < above < high
    low, high = dark.psnr_gain_interval
    assert low < dark.restored_psnr - dark.input_psnr < high
    darkness = [report.condition(f"low_light-{s}").input_psnr for s in range(1, 6)]
    assert np.all(np.diff(darkness) < 0)
    keys = [one.key for one in report.conditions]
    assert keys == [one.key for one in conditions.select(WANTED)]


def test_the_mean_face_against_its_definition(report, data_dir):
    truth = samples.read_network_landmarks(data_dir, "test")
    mean = samples.read_network_landmarks(data_dir, "train").mean(axis=0)
    nme = metrics.nme_box(np.broadcast_to(mean, truth.shape), truth)
    assert report.mean_face.nme_box == pytest.approx(nme.mean(), 1e-4)
    assert report.mean_face.auc == pytest.approx(metrics.auc(nme), abs=0.01)


def test_a_model_that_answers_the_mean_face_is_as_good_as_the_mean_face(data_dir):
    mean = baseline.mean_face(data_dir, "test")
    found = run(Constant(mean.landmarks), data_dir, ("source",))
    for one in found.conditions:
        assert one.nme_box == pytest.approx(found.mean_face.nme_box, 1e-4)
    assert found.mce["source"]["mean_face"] == pytest.approx(100, 1e-4)
    # Its points move only as the window does, by a pixel at most on each axis.
    assert 0 < found.jitter["clean"] < 100 * np.hypot(4, 4) / 30


def test_baseline_model_and_mce(report, data_dir):
    truth = samples.read_network_landmarks(data_dir, "test")
    nme = metrics.nme_box(np.zeros_like(truth), truth).mean()
    for one in report.conditions:
        if one.kind != "box":  # whose windows, and so whose corners, lie elsewhere
            assert one.baseline_nme_box == pytest.approx(nme, 1e-3)
    source = [one for one in report.conditions if one.kind == "source"]
    expected = 100 * np.mean([one.nme_box / nme for one in source])
    assert report.mce["source"]["baseline"] == pytest.approx(expected, 1e-3)
    assert set(report.mce) == {"source", "trained", "unseen"}


def test_slices_hold_every_frame_once(report):
    assert set(report.slices) == {"Face size", "Yaw", "Natural quality"}
    for title in ("Face size", "Yaw"):
        assert sum(one.frames for one in report.slices[title]) == PEOPLE * FRAMES
    by_yaw = {one.name: one.frames for one in report.slices["Yaw"]}
    assert by_yaw["30 to 45°"] == PEOPLE  # one frame of each was turned by 40°


def test_worst_cases_are_the_worst_frame_of_each_video(report):
    conditions = ["clean", "downsample4", "dark5", "blur15"]
    assert [case.condition for case in report.worst] == [
        name for name in conditions for _ in range(PEOPLE)
    ]
    clean = [case for case in report.worst if case.condition == "clean"]
    worst = {}  # a video each, of the list of all frames
    for frame in report.frame_list:
        worst.setdefault(frame.video_id, []).append(frame.nme_box)
    assert [case.nme_box for case in clean] == sorted(
        (max(errors) for errors in worst.values()), reverse=True
    )
    assert clean[0].image.shape == (SIZE, SIZE, 3)


def test_examples_show_what_came_out(report):
    assert len(report.examples) == 4 * 3  # frames x degradations of the source
    assert {one.condition for one in report.examples} == {
        "downsample4",
        "dark5",
        "blur15",
    }
    one = report.examples[0]
    assert one.image.shape == (SIZE, SIZE, 3)
    assert one.restored.shape == one.clean.shape == one.depth.shape == (SIZE, SIZE)
    assert np.isnan(one.true_depth).any()


def test_a_loose_box_is_scored_in_its_own_window(data_dir):
    mean = baseline.mean_face(data_dir, "test")
    found = run(Constant(mean.landmarks), data_dir, ("loose_box",))
    errors = [found.condition(f"loose_box-{s}").nme_box for s in (1, 3, 5)]
    clean = found.condition("clean").nme_box
    # The mean face does not follow: it is off by the window's displacement.
    assert clean < errors[0] < errors[1] < errors[2]
    assert errors[2] == pytest.approx(100 * conditions.BOX_ERROR[4], rel=0.35)
    assert "box" not in found.mce


def test_calibration_of_an_honest_model(data_dir):
    rng = np.random.default_rng(0)
    oracle = Oracle(data_dir, 0.0)

    def honest(images):
        outputs = oracle(images)
        sigma = rng.uniform(0.005, 0.05, (len(images), 68))
        noise = rng.normal(size=(len(images), 68, 3)) * sigma[..., None]
        outputs["landmarks"] = outputs["landmarks"] + noise
        return outputs | {"uncertainty": sigma}

    (clean,) = run(honest, data_dir, ()).calibration
    for _, share, expected in clean.coverage:
        assert share == pytest.approx(expected, abs=3)
    for count, stated, actual in clean.bins:
        assert actual == pytest.approx(stated, rel=4 / np.sqrt(count))


def test_json_table_csv_and_page(report):
    values = json.loads(report.to_json())
    assert len(values["conditions"]) == len(report.conditions)
    assert values["frames"] == PEOPLE * FRAMES
    card = json.loads(report.card_json())
    assert card["conditions"]["dark5"]["nme_box"] == values["conditions"][2]["nme_box"]
    assert "person" not in report.card_json()
    text = tables.table(report)
    assert max(len(line) for line in text.splitlines()) < 100
    assert f"{report.condition('dark5').nme_box:.2f}" in text
    rows = tables.conditions_csv(report).splitlines()
    assert len(rows) == 1 + len(report.conditions) + 1
    assert len({row.count(",") for row in rows}) == 1
    cells = dict(zip(rows[0].split(","), rows[3].split(","), strict=True))
    low, high = report.conditions[2].over_clean_interval
    assert float(cells["over_clean_low"]) == pytest.approx(low, 1e-3)
    assert float(cells["over_clean_high"]) == pytest.approx(high, 1e-3)
    assert len(tables.frames_csv(report).splitlines()) == 1 + PEOPLE * FRAMES
    assert len(tables.points_csv(report).splitlines()) == 1 + 68
    main = tables.markdown(report).splitlines()
    assert len(main) == 2 + 4 + 1
    assert {row.count("|") for row in main} == {7}
    html = page.page(report)
    assert "&lt;fake&gt;" in html
    pictures = len(report.worst) + 5 * len(report.examples)
    assert html.count("data:image/jpeg") == pictures
    assert "<script" not in html
    assert "nan" not in html.lower().replace("&nan", "").split("base64")[0]


def test_one_person_and_one_condition_make_a_report_too(data_dir, monkeypatch):
    first = list(samples.read_samples(data_dir, "test", limit=1))
    monkeypatch.setattr(samples, "read_samples", lambda *args: iter(first))
    found = run(Constant(first[0].landmarks + 0.01), data_dir, ())
    assert found.frames == found.people == 1
    assert np.isnan(found.condition("clean").nme_box_interval).all()
    assert "nan" not in tables.table(found)
    assert (
        json.loads(found.to_json())["conditions"][0]["nme_box_interval"] == [None] * 2
    )
    assert "nan" not in page.page(found).split("base64")[0]


def test_a_model_that_answers_nonsense_is_an_expected_failure(data_dir):
    with pytest.raises(EthosError, match="not finite"):
        run(Constant(np.full((68, 3), np.nan)), data_dir, ())


def test_a_split_does_not_depend_on_the_batch(report, data_dir, monkeypatch):
    monkeypatch.setattr("ethos_model.evaluation.gather.BATCH", 7)
    again = run(Oracle(data_dir, 0.02), data_dir, ("dark5",))
    for one in again.conditions:
        assert one.nme_box == pytest.approx(report.condition(one.key).nme_box)
    assert CLEAN.key in again.jitter
