"""Rendered clips with several people, whose identities are known in each frame.

Each person is rendered once as a short loop of moving heads. A clip pastes the loops
into frames along given paths, the larger person in front.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

import cv2
import numpy as np

from ethos_data.heads.background import sample_background
from ethos_data.heads.figure import Figure, sample_figure
from ethos_data.heads.lighting import Lighting, sample_lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import NO_PART
from ethos_data.heads.pose import Pose, aim
from ethos_data.heads.render import expose, render
from ethos_data.topology import face_box

SIZE: Final = (360, 640)
"""Height and width of a frame, in pixels."""

FPS: Final = 25.0

LOOP: Final = 40
"""Number of rendered frames per person. They are played forwards and backwards."""

FACE: Final = 90.0
"""Face size of the rendered loops, in pixels."""


@dataclasses.dataclass(frozen=True)
class Person:
    """A rendered loop of one person.

    Attributes:
      images: uint8 (LOOP, S, S, 3) RGB.
      masks: float32 (LOOP, S, S, 1), 1 where the person is.
      landmarks: float32 (LOOP, 68, 2), in pixels of the images.
    """

    images: np.ndarray
    masks: np.ndarray
    landmarks: np.ndarray


@dataclasses.dataclass(frozen=True)
class Truth:
    """The people in one frame.

    Attributes:
      ids: int (N,), numbers of the people whose face is visible for the most part.
      boxes: float64 (N, 4), their face boxes in source pixels.
    """

    ids: np.ndarray
    boxes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a person is in one frame.

    Attributes:
      person: Number of the person.
      x: Horizontal position of the face's centre, in pixels.
      y: Vertical position of the face's centre, in pixels.
      size: Face size, in pixels. Larger people are in front.
    """

    person: int
    x: float
    y: float
    size: float


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip that is composed frame by frame.

    Attributes:
      name: What happens.
      num_frames: Number of frames.
      place: Function from the number of a frame to the people in it.
      shot: Function from the number of a frame to the number of its background.
      light: Factor of the light. Below 1, sensor noise is added.
      hidden: Function from the number of a frame to the left and right edge, in pixels,
        of an object in front of everything, or None.
    """

    name: str
    num_frames: int
    place: Callable[[int], list[Placement]]
    shot: Callable[[int], int] = lambda t: 0
    light: float = 1.0
    hidden: Callable[[int], tuple[float, float] | None] = lambda t: None


def render_people(count: int, seed: int, *, profile: float = 22.0) -> list[Person]:
    """Renders people in the same light.

    Args:
      count: Number of people.
      seed: Random seed.
      profile: Standard deviation of the mean yaw of a person, in degrees.
    """
    model = HeadModel.builtin()
    light = sample_lighting(np.random.default_rng((seed, 1000)))
    return [
        _render_person(model, light, np.random.default_rng((seed, person)), profile)
        for person in range(count)
    ]


def _render_person(
    model: HeadModel, light: Lighting, rng: np.random.Generator, profile: float
) -> Person:
    figure = sample_figure(model, rng)
    light = expose(light, figure, float(rng.uniform(0.15, 0.35)))
    size = round(2.6 * FACE)
    yaw, phase = float(np.clip(rng.normal(0, profile), -50, 50)), rng.uniform(0, 6.3, 3)
    images, masks, landmarks = [], [], []
    expression = figure.model.sample_expression(rng)
    for index in range(LOOP):
        t = index / LOOP * np.pi
        pose = Pose(
            yaw + 10 * np.sin(2 * t + phase[0]),
            4 * np.sin(3 * t + phase[1]),
            4 * np.sin(2 * t + phase[2]),
            0.3 * yaw,
        )
        amount = np.float32(0.5 + 0.5 * np.sin(4 * t))
        image, mask, points = _render_frame(
            figure, amount * expression, pose, light, size
        )
        images.append(image)
        masks.append(mask)
        landmarks.append(points)
    return Person(np.stack(images), np.stack(masks), np.stack(landmarks))


def _render_frame(
    figure: Figure, expression: np.ndarray, pose: Pose, light: Lighting, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    camera = aim(
        figure,
        pose,
        height=size,
        width=size,
        face_size=FACE,
        center=(0.5 * size, 0.47 * size),
    )
    black = np.zeros((size, size, 3), np.float32)
    frame = render(figure, expression, pose, camera, light, black)
    mask = (frame.parts != NO_PART).astype(np.float32)
    mask = cv2.GaussianBlur(cv2.erode(mask, np.ones((3, 3))), (0, 0), 0.8)
    return frame.image, mask[..., None], frame.landmarks[:, :2]


def play(
    clip: Clip, people: list[Person], seed: int
) -> Iterator[tuple[np.ndarray, Truth]]:
    """Composes the frames of a clip, uint8 (H, W, 3) RGB, and their true faces."""
    height, width = SIZE
    shots: dict[int, np.ndarray] = {}
    for t in range(clip.num_frames):
        shot = clip.shot(t)
        if shot not in shots:
            rng = np.random.default_rng((seed, 2000, shot))
            light = np.clip(sample_background(rng, height, width), 0, 1)
            shots[shot] = (255 * light ** (1 / 2.2)).astype(np.float32)
        frame, truth = _compose(clip, people, t, shots[shot])
        rng = np.random.default_rng((seed, 3000, t))
        frame = frame * np.float32(clip.light)
        noise = np.sqrt(frame * (255 / 1000) + 1.2**2) if clip.light < 1 else 1.0
        frame = frame + noise * rng.standard_normal(frame.shape, np.float32)
        yield np.clip(np.rint(frame), 0, 255).astype(np.uint8), truth


def _compose(
    clip: Clip, people: list[Person], t: int, background: np.ndarray
) -> tuple[np.ndarray, Truth]:
    height, width = SIZE
    frame = background.copy()
    owner = np.full(SIZE, -1, np.int16)
    placements = sorted(clip.place(t), key=lambda placement: placement.size)
    points = []
    for placement in placements:
        person = people[placement.person]
        index = (t + 7 * placement.person) % (2 * LOOP)
        index = index if index < LOOP else 2 * LOOP - 1 - index
        scale = placement.size / FACE
        centre = person.landmarks[index].min(axis=0) + person.landmarks[index].max(
            axis=0
        )
        shift = np.array([placement.x, placement.y]) - scale * centre / 2
        affine = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = person.images[index].astype(np.float32)
        if scale < 1:
            image = cv2.GaussianBlur(image, (0, 0), max(0.4 / scale - 0.3, 0.1))
        image = cv2.warpAffine(image, affine, (width, height), flags=method)
        mask = cv2.warpAffine(person.masks[index], affine, (width, height))[..., None]
        frame = mask * image + (1 - mask) * frame
        owner[mask[..., 0] > 0.5] = placement.person
        points.append(scale * person.landmarks[index] + shift)
    edges = clip.hidden(t)
    if edges is not None:
        left, right = (int(np.clip(edge, 0, width)) for edge in edges)
        frame[:, left:right] = 70
        owner[:, left:right] = -2
    ids, boxes = [], []
    for placement, landmarks in zip(placements, points, strict=True):
        x, y = np.rint(landmarks).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        seen = np.zeros(len(x), bool)
        seen[inside] = owner[y[inside], x[inside]] == placement.person
        if seen.mean() > 0.6:
            ids.append(placement.person)
            boxes.append(np.asarray(face_box(landmarks), np.float64))
    return frame, Truth(np.array(ids, int), np.array(boxes).reshape(-1, 4))


def clips() -> list[Clip]:
    """Returns the clips that are measured. All of them use at most six people."""
    height, width = SIZE

    def stand(person: int, t: int, size: float = 70.0, places: int = 4) -> Placement:
        sway = 12 * np.sin(t / 17 + 2 * person)
        x = width * (person % places + 0.5) / places + sway
        return Placement(person, x, 0.45 * height + 6 * np.sin(t / 11 + person), size)

    def walk(person: int, t: int, start: float, stop: float, over: int) -> float:
        phase = (t / over) % 2
        share = phase if phase < 1 else 2 - phase
        return start + (stop - start) * share

    def crossing(t: int) -> list[Placement]:
        return [
            Placement(0, walk(0, t, 80, 560, 75), 150, 80),
            Placement(1, walk(1, t, 560, 80, 75), 165, 62),
            Placement(2, 320, 250, 50),
        ]

    def bounce(t: int) -> list[Placement]:
        near = 45 * np.cos(2 * np.pi * t / 100) + 75
        return [
            Placement(3, 320 - near, 170, 76),
            Placement(4, 320 + near, 172, 70),
        ]

    def shots(t: int) -> list[Placement]:
        shot = (t // 40) % 4
        if shot == 0:
            return [stand(0, t, 80, 2), stand(1, t, 80, 2)]
        if shot == 1:
            return [stand(2, t, 90, 2), stand(3, t, 74, 2)]
        if shot == 2:  # the first two people from closer
            return [
                Placement(0, 200 + 8 * np.sin(t / 9), 160, 110),
                Placement(1, 450, 170, 104),
            ]
        return [Placement(4, 300, 160, 120)]

    def leave(t: int) -> list[Placement]:
        x = 320 + 460 * np.sin(2 * np.pi * t / 160)
        return [Placement(0, x, 150, 76), stand(2, t, 60), Placement(5, 90, 200, 56)]

    def crowd(t: int) -> list[Placement]:
        shake = 10 * np.sin(t / 5) + 6 * np.sin(t / 3.1)
        return [
            Placement(
                k,
                70 + 100 * k + shake + 25 * np.sin(t / 14 + 1.7 * k),
                130 + 90 * (k % 2) + 6 * np.sin(t / 4.0),
                46 + 5 * k,
            )
            for k in range(6)
        ]

    return [
        Clip("standing", 120, lambda t: [stand(k, t) for k in range(4)]),
        Clip("crossing", 225, crossing),
        Clip("crossing, 0.1 of the light", 225, crossing, light=0.1),
        Clip("meeting and turning back", 200, bounce),
        Clip(
            "cuts",
            320,
            shots,
            shot=lambda t: (t // 40) % 4 if (t // 40) % 4 != 2 else 0,
        ),
        Clip(
            "cuts, 0.1 of the light",
            320,
            shots,
            shot=lambda t: (t // 40) % 4,
            light=0.1,
        ),
        Clip("leaving and returning", 320, leave),
        Clip(
            "behind an object",
            200,
            lambda t: [stand(k, t) for k in range(4)],
            hidden=lambda t: (8.0 * t - 300, 8.0 * t - 120) if t < 120 else None,
        ),
        Clip("dark crowd, camera shakes", 200, crowd, light=0.1),
    ]
