"""Plots a recording: when each person is in the picture, and how well.

Needs `pip install ethos-faces pandas matplotlib` and a table:

    ethos-annotate clip.mp4 --csv clip.csv
    python plot_recording.py clip.csv clip.png
"""

import argparse

import matplotlib

matplotlib.use("Agg")  # writes a file and needs no window

import numpy as np
import pandas as pd
from matplotlib import pyplot

EYE_CORNERS = (36, 45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", help="a table of ethos-annotate --csv")
    parser.add_argument("output", help="image file to write")
    arguments = parser.parse_args()

    # The lines of the header start with "#".
    table = pd.read_csv(arguments.table, comment="#")
    figure, axes = pyplot.subplots(3, 1, sharex=True, figsize=(9, 7))
    for person, rows in table.groupby("face"):
        time = rows["time_s"]
        label = f"person {person}"
        axes[0].plot(time, rows["x30"], label=label)

        # The uncertainty of each landmark is one standard deviation, in pixels. Divided
        # by the size of the face, it does not depend on the distance to the camera.
        sigma = rows[[f"sigma{i}" for i in range(68)]].median(axis=1)
        size = np.hypot(
            rows["x45"] - rows["x36"],
            rows["y45"] - rows["y36"],
        )
        axes[1].plot(time, 100 * sigma / size, label=label)
    figure.savefig(arguments.output)


if __name__ == "__main__":
    main()
