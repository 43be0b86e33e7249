"""What each stage of the viewer costs on 640 x 360 video with one face.

    python -m benchmarks.viewer_speed --model MODEL_DIR [--detector mtcnn|FILE.onnx]

Measures the stages one by one in this process, then the window itself, end to end, on a
display (give it a virtual one with xvfb-run): decoding, the model in its own process,
drawing and showing, for frames that arrive faster than they can be shown. Where the
packages are installed, the same video goes through MediaPipe's face mesh; dlib's
pipeline runs where its model file is given.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ethos_data.errors import cli
from ethos_model.footage.reader import Frame, open_video
from ethos_model.footage.tracker import FaceTracker
from ethos_model.footage.writer import VideoRecorder
from gui import sample
from gui.viewer.engine import READY, View
from gui.viewer.painter import PaintOptions, paint
from gui.viewer.session import Setup, load

WIDTH, HEIGHT = 640, 360
FPS = 60.0
WINDOW = PaintOptions(source_size=(840, 660), tile_size=200)
"""Panels of the window at its first start, 1280 x 800."""


def make_video(path: str) -> str:
    """A 640 x 360 video of a rendered head, from the viewer's sample.

    Ten seconds at 60 frames/s: more than the 25 that the viewer should reach.
    """
    with VideoRecorder(path, FPS) as recorder:
        for _ in range(12):
            with open_video(sample.SAMPLE) as source:
                for _ in range(sample.FRAMES_PER_PERSON):
                    frame = source.read()
                    assert frame is not None
                    wide = np.full((HEIGHT, WIDTH, 3), (70, 80, 90), np.uint8)
                    small = cv2.resize(frame.image, (HEIGHT, HEIGHT))
                    wide[:, (WIDTH - HEIGHT) // 2 :][:, :HEIGHT] = small
                    recorder.write(wide, recorder.frames / FPS)
    return path


class Clock:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def measure(self, name: str, work: Callable[[], object]) -> object:
        """Runs and times work."""
        started = time.perf_counter()
        result = work()
        self.add(name, 1000 * (time.perf_counter() - started))
        return result

    def add(self, name: str, milliseconds: float) -> None:
        """Takes a time that was measured elsewhere."""
        self.times.setdefault(name, []).append(milliseconds)

    def show(self) -> None:
        """Prints mean, median and 95th percentile of each stage, a frame."""
        print(f"{'stage':<22}{'mean':>8}{'median':>8}{'95 %':>8}   ms a frame")
        for name, times in self.times.items():
            median, high = np.percentile(times, [50, 95])
            print(f"{name:<22}{np.mean(times):>8.1f}{median:>8.1f}{high:>8.1f}")


def stages(path: str, setup: Setup) -> None:
    """Each stage by itself, one after the other."""
    loaded = load(setup)
    tracker = FaceTracker(loaded.predictor, loaded.detector)
    clock = Clock()
    found = 0
    with open_video(path) as source:
        while True:
            frame = clock.measure("decode", source.read)
            if not isinstance(frame, Frame):
                clock.times["decode"].pop()
                break
            started = time.perf_counter()
            faces = tracker.update(frame.image, frame.timestamp)
            clock.add("track, all of it", 1000 * (time.perf_counter() - started))
            for name, spent in tracker.timings.items():
                clock.add(f"  of it {name}", spent)
            found += bool(faces)
            view = View(frame, frame.image, faces, [], False, READY, {}, 0.0)
            clock.measure("draw", lambda view=view: paint(view, WINDOW))
    print(f"detector {loaded.detector.name}, face in {found} frames")
    clock.show()
    names = ("decode", "track, all of it", "draw")
    total = sum(float(np.mean(clock.times[name])) for name in names)
    print(f"one after the other: {1000 / total:.1f} frames/s")


def cpu_seconds() -> tuple[float, float]:
    """CPU time so far of this process and of its children that run. Linux."""
    children = 0.0
    for child in multiprocessing.active_children():
        with open(f"/proc/{child.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        # utime and stime are fields 14 and 15 of proc(5), in ticks.
        children += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.process_time(), children


def window(path: str, setup: Setup, seconds: float) -> None:
    """The whole viewer: frames that reach the screen in a second."""
    from gui.widgets.controller import Controller as App

    with tempfile.TemporaryDirectory() as folder:
        app = App(
            video=path,
            model_dir=setup.model_dir,
            detector=setup.detector,
            settings_path=os.path.join(folder, "viewer.json"),
        )
        app.player.set_loop(True)
        opened = time.perf_counter()
        while app.engine.state.phase != READY or app.painting is None:
            app.root.update()
            time.sleep(0.002)
        loading = time.perf_counter() - opened
        shown, last, worst = 0, None, 0.0
        spent = cpu_seconds()
        started = turn = time.perf_counter()
        while time.perf_counter() - started < seconds:
            app.root.update()
            if app.painting is not last:
                shown, last = shown + 1, app.painting
            now = time.perf_counter()
            worst, turn = max(worst, now - turn), now
            time.sleep(0.002)
        rate = shown / (time.perf_counter() - started)
        costs = [
            1000 * (after - before) / max(shown, 1)
            for before, after in zip(spent, cpu_seconds(), strict=True)
        ]
        app.close()
    print(f"window, end to end: {rate:.1f} frames/s; model loaded in {loading:.1f} s")
    print(
        f"CPU time a frame shown: {costs[0]:.1f} ms window, {costs[1]:.1f} ms model: "
        f"two cores to themselves are enough for {2000 / sum(costs):.0f} frames/s"
    )
    print(f"longest time that the window did not answer: {1000 * worst:.0f} ms")


def mediapipe(path: str) -> None:
    """MediaPipe's face mesh (detection, tracking, 468 points), decoding included."""
    try:
        from mediapipe.python.solutions import face_mesh
    except ImportError as error:
        print(f"MediaPipe: not measured ({error})")
        return
    clock, found = Clock(), 0
    with face_mesh.FaceMesh() as mesh, open_video(path) as source:
        while (frame := source.read()) is not None:
            image = frame.image
            result = clock.measure("face mesh", lambda image=image: mesh.process(image))
            found += bool(getattr(result, "multi_face_landmarks", None))
    print(f"MediaPipe, face in {found} frames")
    clock.show()


def dlib(path: str, predictor: str | None) -> None:
    """dlib: HOG detector in every frame and the 68-point shape predictor."""
    try:
        import dlib as library
    except ImportError as error:
        print(f"dlib: not measured ({error})")
        return
    detector = library.get_frontal_face_detector()
    shape = library.shape_predictor(predictor) if predictor else None
    clock, found = Clock(), 0
    with open_video(path) as source:
        while (frame := source.read()) is not None:
            image = frame.image
            boxes = clock.measure("HOG", lambda image=image: detector(image, 0))
            found += bool(len(boxes))  # type: ignore[arg-type]
            if shape and boxes:
                box = boxes[0]  # type: ignore[index]
                clock.measure("68 points", lambda i=image, b=box: shape(i, b))
    print(f"dlib, face in {found} frames" + ("" if shape else " (detector alone)"))
    clock.show()


@cli
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", help="folder of an exported model")
    parser.add_argument("--detector", default="mtcnn")
    parser.add_argument("--video", help="instead of rendered heads")
    parser.add_argument("--seconds", type=float, default=15.0, help="for the window")
    parser.add_argument("--dlib_predictor", help="its file of 68 landmarks")
    parser.add_argument(
        "--only", choices=("stages", "window", "mediapipe", "dlib"), action="append"
    )
    args = parser.parse_args(argv)
    only = args.only or ["stages", "window", "mediapipe", "dlib"]
    setup = Setup(args.model, args.detector)
    with tempfile.TemporaryDirectory() as folder:
        path = args.video or make_video(os.path.join(folder, "heads.mp4"))
        if "stages" in only:
            stages(path, setup)
        if "window" in only:
            window(path, setup, args.seconds)
        if "mediapipe" in only:
            mediapipe(path)
        if "dlib" in only:
            dlib(path, args.dlib_predictor)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
