"""Plots that a person can tell the lines and read the numbers of."""

import re

import numpy as np

from ethos_model.evaluation.report import svg


def test_every_line_has_a_stroke_of_its_own_also_in_the_legend():
    names = [f"degradation {i}" for i in range(2 * len(svg.COLOURS))]
    plot = svg.lines(
        {name: ((0, 1), (1, i + 1)) for i, name in enumerate(names)},
        x_label="severity",
        y_label="NME_box, %",
    )
    strokes = re.findall(r'<polyline [^>]*style="([^"]*)"', plot)
    keys = re.findall(r'<i style="([^"]*)"', plot)
    assert len(set(strokes)) == len(set(keys)) == len(names)


def test_no_mark_crosses_a_bars_value():
    interval = (1.0, 3.0)
    plot = svg.bars(
        [("best", 2.0, interval, 20.0, 2.6), ("worst", 19.0, interval, 20.0, 25.0)],
        label="NME_box, %",
    )
    marks = re.findall(r'<line class="(?:mean|beside)" x1="([\d.]+)"', plot)
    right = np.max(np.array(marks, float))
    values = re.findall(
        r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">[\d.]+<', plot
    )
    assert len(values) == 2
    width = 32  # pixels of "20.00"
    assert all(float(x) - width > right for x in values)


def test_a_single_value_is_drawn_too():
    plot = svg.lines({"clean": ((1.5,), (2.0,))}, x_label="stated, %", y_label="RMS, %")
    assert 'points="226.0,' in plot  # in the middle
