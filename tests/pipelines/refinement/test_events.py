"""Reports of a refinement for people and for other programs."""

from __future__ import annotations

import json

from pipelines.refinement import events

ALL = (
    events.faces(20, 16, 4, 12),
    events.step("training", 1, 2),
    events.errors("before", 5.25, 2.5),
    events.errors("now", 4.0, 2.5),
    events.step("training", 2, 2),
    events.errors("after", 2.5, 2.4),
    events.step("writing", 0, 1),
    events.result(True, "model", "error 5.25 % before, 2.50 % after"),
    events.result(False, "", "the error rises"),
)


def test_each_event_is_a_line_of_json(capsys):
    report = events.reporter("json")
    for event in ALL:
        report(event)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == list(ALL)


def test_people_read_the_errors_before_and_after(capsys):
    report = events.reporter("text")
    for event in ALL:
        report(event)
    assert capsys.readouterr().out.splitlines() == [
        "20 corrected faces: 16 and 12 interpolated faces for training, 4 held out for "
        "measuring",
        "error before: 5.25 % on held-out corrections, 2.50 % on rendered heads "
        "(NME_box)",
        "error after: 2.50 % on held-out corrections, 2.40 % on rendered heads "
        "(NME_box)",
        "the new model is better: error 5.25 % before, 2.50 % after",
        "wrote model",
        "the new model is not better, nothing was written: the error rises",
    ]
