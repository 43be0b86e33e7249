"""Each protocol reads its original files and measures what the publications measure."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from ethos_data.errors import EthosError
from ethos_model import evaluate as command
from ethos_model.evaluation.protocols import published, run
from ethos_model.evaluation.protocols.protocol import FULL
from ethos_model.evaluation.protocols.registry import PROTOCOLS
from ethos_model.footage import with_outline
from ethos_model.predict import FacePredictor
from tests.ethos_model.evaluation.protocols import sets

UNITS = {"300w": ("iod", 8), "300w_private": ("box", 7), "cofw68": ("box", 7)}
UNITS |= {"merl_rav": ("box", 7), "wflw": ("iod", 10), "aflw2000": ("box", 10)}
UNITS |= {"300vw": ("iod", 8)}


@pytest.fixture(scope="module")
def predictor():
    return FacePredictor(backend="litert")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Directory and faces of each test set."""
    result = {}
    for name, build in sets.BUILDERS.items():
        directory = tmp_path_factory.mktemp(name)
        result[name] = directory, build(directory)
    return result


def expected_errors(predictor, truth, name):
    """NME_iod and NME_box of a face by the formulas of the publications."""
    known = ~np.isnan(truth.points[:, 0])
    points = truth.points[known]
    x, y = points.T
    box = (x.min(), y.min(), x.max(), y.max())
    (face,) = predictor.predict(truth.image, [box])
    if name != "aflw2000":  # the others have labels on the visible outline
        face = with_outline(face)
    total = 0.0
    for true, found in zip(points, face.landmarks[known, :2], strict=True):
        total += np.hypot(true[0] - found[0], true[1] - found[1])
    count = 68 if name == "merl_rav" else known.sum()
    a, b = truth.points[[36, 45]]
    iod = np.hypot(*(a - b))
    size = ((box[2] - box[0]) * (box[3] - box[1])) ** 0.5
    return 100 * total / count / iod, 100 * total / count / size


def expected_auc(errors, limit):
    """Area under the step function of the share of faces with an error of at most x."""
    x = np.linspace(0, limit, 20001)
    return 100 * np.mean([(np.asarray(errors) <= value).mean() for value in x])


@pytest.mark.parametrize("name", sets.BUILDERS)
def test_figures_agree_with_the_formulas(name, built, predictor):
    directory, truths = built[name]
    report = run.evaluate(name, directory, backend="litert")
    assert not report.left_out
    assert len(report.faces) == len(truths)
    errors = [expected_errors(predictor, truth, name) for truth in truths]
    norm, limit = UNITS[name]
    for result in report.models[0].subsets:
        if result.subset == "balanced mean":
            continue
        inside = [
            error
            for error, truth in zip(errors, truths, strict=True)
            if result.subset == FULL or result.subset in truth.subsets
        ]
        assert result.faces == len(inside)
        if not inside:
            assert np.isnan(result.nme_box)
            continue
        iod, box = np.mean(inside, axis=0)
        assert result.nme_box == pytest.approx(box, abs=2e-3)
        if name in ("merl_rav", "aflw2000"):
            assert np.isnan(result.nme_iod)
        else:
            assert result.nme_iod == pytest.approx(iod, abs=2e-3)
        own = [error[norm == "box"] for error in inside]
        assert result.auc == pytest.approx(expected_auc(own, limit), abs=0.05)
        assert result.failure_rate == 100 * np.mean(np.array(own) > limit)
    # A shift of the labels by a pixel would add 1.4 %.
    assert report.subset(FULL).nme_box < 4


def test_the_balanced_mean_gives_each_group_of_yaw_the_same_weight(built):
    report = run.evaluate("aflw2000", built["aflw2000"][0], backend="litert")
    groups = [report.subset(f"yaw {g}").nme_box for g in ("0-30", "30-60", "60-90")]
    assert report.subset("balanced mean").nme_box == pytest.approx(np.mean(groups))


def test_the_detector_gives_the_box_and_lost_faces_fail(built, monkeypatch):
    directory, truths = built["300w_private"]

    class Detection:
        box = np.array([*truths[0].points.min(0), *truths[0].points.max(0)])

    class Finder:
        calls = 0

        def find(self, frame):
            self.calls += 1
            return [Detection()] if self.calls == 1 else []

    monkeypatch.setattr(run, "_finder", Finder)
    found = run.evaluate(
        "300w_private", directory, backend="litert", face_box="detector"
    )
    usual = run.evaluate("300w_private", directory, backend="litert")
    assert [face.found for face in found.faces] == [True, False, False]
    assert found.faces[0].nme_box == pytest.approx(usual.faces[0].nme_box, abs=1e-3)
    assert found.subset(FULL).found == pytest.approx(100 / 3)
    assert found.subset(FULL).failure_rate == pytest.approx(200 / 3)
    assert found.subset(FULL).nme_box == pytest.approx(usual.faces[0].nme_box[0])
    assert found.subset("outdoor").auc == 0


def test_a_limit_spreads_the_faces(built):
    directory, _ = built["300vw"]
    report = run.evaluate("300vw", directory, backend="litert", limit=3)
    assert [face.subsets[0][-1] for face in report.faces] == ["A", "B", "C"]
    report = run.evaluate("300w", built["300w"][0], backend="litert", limit=2)
    assert [f.subsets for f in report.faces] == [("common",), ("challenging",)]


def test_progress_ends_at_the_number_of_frames(built):
    calls = []
    run.evaluate(
        "300vw",
        built["300vw"][0],
        backend="litert",
        progress=lambda *counts: calls.append(counts),
    )
    assert calls[-1] == (9, 9)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize("name", sets.BUILDERS)
def test_a_missing_directory_is_named(name, tmp_path):
    with pytest.raises(EthosError, match=r"contains no .*needs"):
        run.evaluate(name, tmp_path, backend="litert")
    with pytest.raises(EthosError, match="/nonexistent: no such directory"):
        run.evaluate(name, "/nonexistent", backend="litert")


@pytest.mark.parametrize(
    ("name", "directory", "reason"),
    [
        ("300w", "300W/ibug", "no directory ibug"),
        ("300w_private", "300W/02_Outdoor", "no directory 02_Outdoor"),
        ("merl_rav", "merl_rav_organized/left", "no directory left/testset"),
        ("cofw68", "COFW_color", "no COFW_test_color.mat"),
        ("300vw", "300VW_Dataset_2015_12_14/410", "no video of category C"),
    ],
)
def test_an_incomplete_set_is_refused(name, directory, reason, built, tmp_path):
    shutil.copytree(built[name][0], tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / directory)
    with pytest.raises(EthosError, match=reason):
        run.evaluate(name, tmp_path / "set", backend="litert")


@pytest.mark.parametrize(
    ("name", "path", "content", "reason"),
    [
        ("300w", "300W/ibug/image_003_1.pts", None, "has no file image_003_1.pts"),
        ("300w", "300W/ibug/image_003_1.jpg", b"x", "the image cannot be decoded"),
        ("300w", "300W/ibug/image_003_1.pts", b"x", "is not a .pts file"),
        ("aflw2000", "AFLW2000/image00001.mat", b"x", "not a readable .mat"),
        (
            "wflw",
            "WFLW_images/0--Parade/0_Parade_Parade_0.jpg",
            None,
            "the image 0--Parade/0_Parade_Parade_0.jpg does not exist",
        ),
        (
            "cofw68",
            "COFW68_Data/test_annotations/2_points.mat",
            b"x",
            "not a readable .mat",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    name, path, content, reason, built, tmp_path, capsys
):
    root = tmp_path / "set"
    shutil.copytree(built[name][0], root)
    if content is None:
        (root / path).unlink()
    else:
        (root / path).write_bytes(content)
    argv = [f"--protocol={name}", f"--data_dir={root}", "--backend=litert"]
    assert command.main([*argv, f"--output_dir={tmp_path / 'report'}"]) == 0
    printed, errors = capsys.readouterr()
    (line,) = (line for line in errors.splitlines() if line.startswith("left out: "))
    assert str(root) in line
    assert reason in line
    assert "1 files could not be used" in " ".join(printed.split())
    values = json.loads((tmp_path / "report" / "protocol.json").read_text())
    assert reason in values["left_out"][0][1]


def test_the_pose_of_aflw2000_is_required(built, tmp_path):
    import scipy.io

    root = tmp_path / "set"
    shutil.copytree(built["aflw2000"][0], root)
    for path in sorted((root / "AFLW2000").glob("*.mat")):
        points = scipy.io.loadmat(path)["pt3d_68"]
        scipy.io.savemat(path, {"pt3d_68": points})
    with pytest.raises(EthosError, match=r"image00000.mat: has no Pose_Para"):
        run.evaluate("aflw2000", root, backend="litert")


def test_the_command_prints_and_writes_the_report(built, tmp_path, capsys):
    directory, truths = built["300w"]
    output = tmp_path / "report"
    argv = ["--protocol=300w", f"--data_dir={directory}", "--backend=litert"]
    assert command.main([*argv, f"--output_dir={output}"]) == 0
    printed = capsys.readouterr().out
    for text in ("AUC@8", "SPIGA", "2.59", "outer corners of the eyes", "554"):
        assert text in " ".join(printed.split())
    assert "known for RTMPose, 3DDFA_V2" in " ".join(printed.split())
    names = sorted(path.name for path in output.iterdir())
    assert names == ["faces.csv", "protocol.json", "protocol.md"]
    rows = (output / "faces.csv").read_text().splitlines()
    assert rows[0] == "path,frame,subsets,found,nme_iod,nme_box"
    assert len(rows) == 1 + len(truths)
    values = json.loads((output / "protocol.json").read_text())
    assert values["models"][0]["subsets"][0]["subset"] == "common"
    assert (
        "| common | SPIGA |  | 2.59 |  | 67.67 | 0.00 |"
        in (output / "protocol.md").read_text()
    )


def test_a_second_model_is_reported_next_to_the_first(built, capsys):
    from ethos_model import predict

    model = predict.find(None)
    argv = ["--protocol=cofw68", f"--data_dir={built['cofw68'][0]}"]
    argv += ["--backend=litert", f"--baseline_model={model}"]
    assert command.main(argv) == 0
    printed = capsys.readouterr().out
    own, other = (
        next(line for line in printed.splitlines() if name in line[16:27])
        for name in ("ETHOS", "baseline")
    )
    assert own[27:] == other[27:]
    assert "ethos-evaluate --protocol=cofw68" in printed.splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--protocol=300w", "--seed=3"], "--seed has no effect with --protocol"),
        (["--protocol=300w", "--split=train"], "--split has no effect"),
        (["--protocol=300w", "--label_shift=0"], "--label_shift has no effect"),
        (["--protocol=300w", "--conditions"], "--conditions has no effect"),
        (["--face_box=detector"], "--face_box needs --protocol"),
    ],
)
def test_flags_without_effect_are_refused(flags, reason, tmp_path, capsys):
    assert command.main([f"--data_dir={tmp_path}", *flags]) == 1
    assert f"error: {reason}" in capsys.readouterr().err


def test_published_figures_belong_to_subsets_of_their_protocol():
    for entry in published.PUBLISHED:
        protocol = PROTOCOLS[entry.protocol]
        assert entry.method in published.METHODS
        assert set(entry.figures) <= {*protocol.subsets, "balanced mean"}
        means = [figures.get("nme_iod", 0) for figures in entry.figures.values()]
        assert all(0 <= value < 10 for value in means)
