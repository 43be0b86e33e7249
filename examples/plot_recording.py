"""Plots the head pose, the eyes and the quality of the faces in a recording.

Needs `pip install ethos-faces pandas matplotlib` and a table of a video:

    ethos-annotate clip.mp4 --csv clip.csv
    python examples/plot_recording.py clip.csv clip.png
"""

import argparse

import matplotlib

matplotlib.use("Agg")  # writes an image file and opens no window

import pandas as pd
from matplotlib import pyplot

PLOTS = (
    ("yaw", "turned to the right\nof the image (degrees)"),
    ("right_eye_open", "openness of\nthe right eye"),
    ("quality", "quality of\nthe landmarks"),
)
"""Columns of the table, and the label of their axes."""


def plot(table: pd.DataFrame, output: str) -> None:
    """Draws one curve per person, and the uncertainty as a band around it."""
    pyplot.style.use("tableau-colorblind10")
    figure, axes = pyplot.subplots(
        len(PLOTS), sharex=True, figsize=(9, 7), layout="constrained"
    )
    for person, rows in table.groupby("face"):
        for axis, (column, label) in zip(axes, PLOTS, strict=True):
            time, value = rows["time_s"], rows[column]
            (line,) = axis.plot(time, value, label=f"person {person}")
            axis.set_ylabel(label)
            if f"{column}_sigma" in rows:  # one standard deviation
                sigma = rows[f"{column}_sigma"]
                color = line.get_color()
                axis.fill_between(
                    time, value - sigma, value + sigma, color=color, alpha=0.3
                )
    axes[0].legend()
    axes[-1].set_xlabel("time (s)")
    figure.savefig(output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", help="a CSV file of ethos-annotate")
    parser.add_argument("output", help="image file to write")
    arguments = parser.parse_args()

    table = pd.read_csv(arguments.table, comment="#")  # the header starts with "#"
    for person, rows in table.groupby("face"):
        # A blink is a group of consecutive frames.
        starts = rows["blink"].diff().fillna(rows["blink"]) == 1
        print(
            f"person {person}: frames: {len(rows)}, blinks: {starts.sum()}, "
            f"mean quality: {rows['quality'].mean():.2f}"
        )
    plot(table, arguments.output)


if __name__ == "__main__":
    main()
