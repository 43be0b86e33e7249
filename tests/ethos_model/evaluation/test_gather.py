"""Evaluation of models whose error is known, from predictions to the report."""

import json

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import metrics
from ethos_model.evaluation import baseline, conditions, samples, summary
from ethos_model.evaluation.conditions import CLEAN
from ethos_model.evaluation.gather import EvaluatedModel, gather
from ethos_model.evaluation.report import page, tables
from tests.ethos_model.evaluation.conftest import FRAMES, PEOPLE, Constant

SIZE = 48
CONDITIONS = ("source", "low_light", "side_light-3", "loose_box-2")


class Oracle(Constant):
    """Predicts the true landmarks plus a known offset.

    It recognises clean images. For all other images it predicts constant landmarks.
    """

    def __init__(self, data_dir, offset):
        faces = list(samples.read_samples(data_dir, "test"))
        self.truth = {s.network_image(SIZE).tobytes(): s for s in faces}
        self.offset = np.array([offset, 0, 0.01])
        super().__init__(faces[0].landmarks + 0.05)

    def __call__(self, images):
        outputs = super().__call__(images)
        for i, image in enumerate(images):
            if sample := self.truth.get(image.tobytes()):
                outputs["landmarks"][i] = sample.landmarks + self.offset
                depth, _ = sample.network_depth(SIZE)
                outputs["depth"][i, ..., 0] = depth + 0.3
                outputs["restored"][i, ..., 0] = (
                    image @ np.array([0.299, 0.587, 0.114]) / 255
                )
        return outputs


def run(predict, data_dir, words=CONDITIONS, other=None):
    """Report of a model and, optionally, of a baseline model."""
    mean = baseline.mean_face(data_dir, "test")
    model = EvaluatedModel("<fake>", predict, SIZE, SIZE)
    baseline_model = None if other is None else EvaluatedModel("other", other, 32, 32)
    measurements = gather(
        model,
        samples.read_samples(data_dir, "test"),
        conditions.select(words),
        mean,
        total=PEOPLE * FRAMES,
        baseline=baseline_model,
    )
    return summary.report(
        measurements,
        mean,
        model,
        data_dir=str(data_dir),
        split="test",
        baseline=baseline_model,
    )


@pytest.fixture(scope="module")
def report(data_dir):
    """An oracle, compared with a model that predicts zeros."""
    return run(Oracle(data_dir, 0.02), data_dir, other=Constant(np.zeros((68, 3))))


def test_known_errors_are_measured(report, data_dir):
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
    # x is wrong by exactly one predicted sigma, up to rounding. y is correct.
    assert clean.within_1_sigma >= 50
    assert clean.stated_sigma == pytest.approx(clean.nme_box, 1e-4)


def test_the_model_receives_degraded_images(report):
    # The oracle does not recognise degraded images, so its error is large.
    dark = report.condition("dark5")
    assert dark.nme_box > 2 * report.condition("clean").nme_box
    assert dark.input_psnr < 30
    clean = report.condition("clean")
    increase = 100 * (dark.nme_box - clean.nme_box) / clean.nme_box
    assert dark.over_clean == pytest.approx(increase)
    low, high = dark.over_clean_interval
    assert 100 < low < increase < high
    low, high = dark.psnr_gain_interval
    assert low < dark.restored_psnr - dark.input_psnr < high
    psnr = [report.condition(f"low_light-{s}").input_psnr for s in range(1, 6)]
    assert np.all(np.diff(psnr) < 0)
    keys = [result.key for result in report.conditions]
    assert keys == [condition.key for condition in conditions.select(CONDITIONS)]


def test_the_mean_face_is_scored_by_its_definition(report, data_dir):
    truth = samples.read_network_landmarks(data_dir, "test")
    mean = samples.read_network_landmarks(data_dir, "train").mean(axis=0)
    nme = metrics.nme_box(np.broadcast_to(mean, truth.shape), truth)
    assert report.mean_face.nme_box == pytest.approx(nme.mean(), 1e-4)
    assert report.mean_face.auc == pytest.approx(metrics.auc(nme), abs=0.01)


def test_a_model_that_predicts_the_mean_face_has_its_scores(data_dir):
    mean = baseline.mean_face(data_dir, "test")
    report = run(Constant(mean.landmarks), data_dir, ("source",))
    for result in report.conditions:
        assert result.nme_box == pytest.approx(report.mean_face.nme_box, 1e-4)
    assert report.mce["source"]["mean_face"] == pytest.approx(100, 1e-4)
    # The landmarks move only with the window, by at most one pixel on each axis.
    assert 0 < report.jitter["clean"] < 100 * np.hypot(4, 4) / 30


def test_baseline_model_and_mce(report, data_dir):
    truth = samples.read_network_landmarks(data_dir, "test")
    nme = metrics.nme_box(np.zeros_like(truth), truth).mean()
    for result in report.conditions:
        if result.kind != "box":  # These windows have another origin.
            assert result.baseline_nme_box == pytest.approx(nme, 1e-3)
    source = [result for result in report.conditions if result.kind == "source"]
    expected = 100 * np.mean([result.nme_box / nme for result in source])
    assert report.mce["source"]["baseline"] == pytest.approx(expected, 1e-3)
    assert set(report.mce) == {"source", "trained", "unseen"}


def test_every_frame_is_in_one_slice_of_size_and_of_yaw(report):
    assert set(report.slices) == {"Face size", "Yaw", "Natural quality"}
    for title in ("Face size", "Yaw"):
        assert sum(part.frames for part in report.slices[title]) == PEOPLE * FRAMES
    by_yaw = {part.name: part.frames for part in report.slices["Yaw"]}
    assert by_yaw["30 to 45°"] == PEOPLE  # One frame per person has a yaw of 40°.


def test_worst_cases_are_the_worst_frame_of_each_video(report):
    names = ["clean", "downsample4", "dark5", "blur15"]
    assert [case.condition for case in report.worst] == [
        name for name in names for _ in range(PEOPLE)
    ]
    clean = [case for case in report.worst if case.condition == "clean"]
    by_video = {}
    for frame in report.frame_results:
        by_video.setdefault(frame.video_id, []).append(frame.nme_box)
    assert [case.nme_box for case in clean] == sorted(
        (max(errors) for errors in by_video.values()), reverse=True
    )
    assert clean[0].image.shape == (SIZE, SIZE, 3)


def test_examples_contain_inputs_and_outputs(report):
    assert len(report.examples) == 4 * 3  # 4 frames under 3 source conditions.
    assert {example.condition for example in report.examples} == {
        "downsample4",
        "dark5",
        "blur15",
    }
    example = report.examples[0]
    assert example.image.shape == (SIZE, SIZE, 3)
    for image in (example.restored, example.clean, example.depth):
        assert image.shape == (SIZE, SIZE)
    assert np.isnan(example.true_depth).any()


def test_a_loose_box_is_scored_in_the_shifted_window(data_dir):
    mean = baseline.mean_face(data_dir, "test")
    report = run(Constant(mean.landmarks), data_dir, ("loose_box",))
    errors = [report.condition(f"loose_box-{s}").nme_box for s in (1, 3, 5)]
    clean = report.condition("clean").nme_box
    # The mean face is fixed in the window, so its error is the shift of the window.
    assert clean < errors[0] < errors[1] < errors[2]
    assert errors[2] == pytest.approx(100 * conditions.BOX_ERROR[4], rel=0.35)
    assert "box" not in report.mce


def test_calibration_of_a_calibrated_model(data_dir):
    rng = np.random.default_rng(0)
    oracle = Oracle(data_dir, 0.0)

    def calibrated(images):
        outputs = oracle(images)
        sigma = rng.uniform(0.005, 0.05, (len(images), 68))
        noise = rng.normal(size=(len(images), 68, 3)) * sigma[..., None]
        outputs["landmarks"] = outputs["landmarks"] + noise
        return outputs | {"uncertainty": sigma}

    (clean,) = run(calibrated, data_dir, ()).calibration
    for _, share, expected in clean.coverage:
        assert share == pytest.approx(expected, abs=3)
    for count, stated, actual in clean.bins:
        assert actual == pytest.approx(stated, rel=4 / np.sqrt(count))


def test_rank_correlation_agrees_with_the_sum_of_squared_rank_differences():
    # Without ties, rho = 1 - 6 sum(d^2) / (n (n^2 - 1)) (Spearman 1904).
    a, b = np.random.default_rng(0).normal(size=(2, 30))
    ranks = [[sorted(values).index(value) for value in values] for values in (a, b)]
    squared = sum((r - s) ** 2 for r, s in zip(*ranks, strict=True))
    expected = 1 - 6 * squared / (30 * (30**2 - 1))
    assert summary._rank_correlation(a, b) == pytest.approx(expected)
    assert np.isnan(summary._rank_correlation(a, np.ones(30)))


def test_the_report_as_json_text_csv_and_html(report):
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
    images = len(report.worst) + 5 * len(report.examples)
    assert html.count("data:image/jpeg") == images
    assert "<script" not in html
    assert "nan" not in html.lower().replace("&nan", "").split("base64")[0]


def test_a_report_of_a_single_frame(data_dir, monkeypatch):
    first = list(samples.read_samples(data_dir, "test", limit=1))
    monkeypatch.setattr(samples, "read_samples", lambda *args: iter(first))
    report = run(Constant(first[0].landmarks + 0.01), data_dir, ())
    assert report.frames == report.people == 1
    assert np.isnan(report.condition("clean").nme_box_interval).all()
    assert "nan" not in tables.table(report)
    values = json.loads(report.to_json())
    assert values["conditions"][0]["nme_box_interval"] == [None] * 2
    assert "nan" not in page.page(report).split("base64")[0]


def test_landmarks_that_are_not_finite_are_reported(data_dir):
    with pytest.raises(EthosError, match="not finite"):
        run(Constant(np.full((68, 3), np.nan)), data_dir, ())


def test_results_do_not_depend_on_the_batch_size(report, data_dir, monkeypatch):
    monkeypatch.setattr("ethos_model.evaluation.gather.BATCH", 7)
    again = run(Oracle(data_dir, 0.02), data_dir, ("dark5",))
    for result in again.conditions:
        assert result.nme_box == pytest.approx(report.condition(result.key).nme_box)
    assert CLEAN.key in again.jitter
