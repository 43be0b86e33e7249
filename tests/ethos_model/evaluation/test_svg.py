"""Plots: lines can be told apart, and values can be read."""

import re

import numpy as np

from ethos_model.evaluation.report import svg


def test_every_line_has_a_different_stroke_in_plot_and_legend():
    names = [f"degradation {i}" for i in range(2 * len(svg.COLOURS))]
    plot = svg.lines(
        {name: ((0, 1), (1, i + 1)) for i, name in enumerate(names)},
        x_label="severity",
        y_label="NME_box, %",
    )
    strokes = re.findall(r'<polyline [^>]*style="([^"]*)"', plot)
    keys = re.findall(r'<i style="([^"]*)"', plot)
    assert len(set(strokes)) == len(set(keys)) == len(names)


def test_no_mark_crosses_the_value_of_a_bar():
    interval = (1.0, 3.0)
    plot = svg.bars(
        [("best", 2.0, interval, 20.0, 2.6), ("worst", 19.0, interval, 20.0, 25.0)],
        label="NME_box, %",
    )
    marks = re.findall(r'<line class="(?:mean|baseline)" x1="([\d.]+)"', plot)
    right = np.max(np.array(marks, float))
    values = re.findall(
        r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">[\d.]+<', plot
    )
    assert len(values) == 2
    width = 32  # Width of "20.00" in pixels.
    assert all(float(x) - width > right for x in values)


def test_a_single_value_is_drawn_in_the_middle():
    plot = svg.lines({"clean": ((1.5,), (2.0,))}, x_label="stated, %", y_label="RMS, %")
    assert 'points="226.0,' in plot
