"""Writes the landmarks of all people in a directory of clips into one CSV file.

    python examples/clips_to_csv.py CLIPS landmarks.csv

One row contains one face in one frame. Coordinates are in pixels of the clip. Needs the
light installation: `pip install .`
"""

import csv
import pathlib
import sys

import numpy as np

from ethos_model import FacePredictor
from ethos_model.footage import FaceFinder, FaceTracker, open_video

AXES = "xyz"


def main(directory: str, output: str) -> None:
    tracker = FaceTracker(FacePredictor(), FaceFinder())
    columns = [f"{axis}{i}" for i in range(68) for axis in AXES]
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", "seconds", "person", "sigma", *columns])
        for path in sorted(pathlib.Path(directory).glob("*.mp4")):
            tracker.reset()  # people are recognised within a clip only
            with open_video(str(path)) as video:
                while (frame := video.read()) is not None:
                    for person in tracker.update(frame.image, frame.timestamp):
                        # Median uncertainty: one standard deviation in pixels.
                        sigma = float(np.median(person.face.uncertainty))
                        landmarks = person.face.landmarks.ravel().round(2)
                        start = [path.name, f"{frame.timestamp:.3f}", person.id]
                        writer.writerow([*start, f"{sigma:.2f}", *landmarks])


if __name__ == "__main__":
    main(*sys.argv[1:])
