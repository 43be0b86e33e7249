"""Results from a report of ethos-evaluate."""

import json

import pytest

from benchmarks import accuracy, measure


def condition(name, kind, severity, nme, *, input_psnr=20.0, gain=0.0):
    return {
        "name": name,
        "kind": kind,
        "severity": severity,
        "nme_box": nme,
        "nme_box_interval": [nme - 0.1, nme + 0.1],
        "over_clean": 50 * nme - 100,
        "restored_psnr": input_psnr + gain,
        "input_psnr": input_psnr,
        "restored_ssim": 0.5,
        "input_ssim": 0.6,
        "within_1_sigma": 67.25,
    }


@pytest.fixture
def report(tmp_path):
    values = {
        "split": "test",
        "frames": 12,
        "people": 3,
        "mean_face": {"nme_box": 11.9},
        "mce": {"source": {"mean_face": 20.0}, "trained": {"mean_face": 22.04}},
        "conditions": [
            condition("clean", "clean", 0, 2.0),
            condition("dark5", "source", 0, 2.5, gain=3.0),
            condition("jpeg", "trained", 1, 2.1, gain=0.25),
            condition("jpeg", "trained", 3, 2.2, gain=-0.5),
            condition("loose_box", "box", 3, 2.3),
        ],
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(values))
    return path


def test_a_report_becomes_three_results(report, tmp_path):
    output = tmp_path / "results"
    arguments = [str(report), f"--previous={report}", f"--output_dir={output}"]
    assert accuracy.main(arguments) == 0
    main = measure.load(output / "evaluation.json")
    assert "12 frames of 3 people" in main.what
    dark = {"NME_box %": 2.5, "95 % interval": "2.40 to 2.60"}
    assert main.figures["a fifth of the light"] == dark
    baseline = main.baseline["a fifth of the light"]
    assert baseline["previous model"] == 2.5
    assert baseline["dlib"] == 9.1
    severities = measure.load(output / "evaluation_severities.json")
    assert severities.figures["jpeg"] == {
        "NME_box % at severity 1": 2.1,
        "3": 2.2,
        "PSNR gain at 1, dB": 0.25,
        "increase at 3 over clean %": 10,
        "PSNR gain at 3, dB": -0.5,
    }
    assert "PSNR gain at 3, dB" not in severities.figures["shifted and scaled"]
    summary = measure.load(output / "evaluation_summary.json")
    assert summary.figures["ETHOS"] == {
        "mCE trained %": 22.0,
        "coordinates within 1 sigma, clean %": 67.2,
        "conditions with higher PSNR, of 3": 2,
        "conditions with higher SSIM, of 3": 0,
    }


def test_rejects_a_file_that_is_not_a_report(tmp_path, capsys):
    path = tmp_path / "report.json"
    path.write_text("{}")
    assert accuracy.main([str(path)]) == 1
    assert f"{path}: not a report" in capsys.readouterr().err
