"""Meshes and light for the tests of the renderer."""

from __future__ import annotations

import numpy as np

from ethos_data.heads.lighting import Lighting


def sphere(radius: float, rings: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A sphere around the origin: vertices (V, 3) and triangles (F, 3)."""
    polar = np.linspace(0, np.pi, rings + 1)[:, None]
    turn = np.linspace(0, 2 * np.pi, 2 * rings + 1)[None]
    grid = radius * np.stack(
        [
            np.sin(polar) * np.cos(turn),
            np.sin(polar) * np.sin(turn),
            np.cos(polar) + 0 * turn,
        ],
        axis=-1,
    )
    number = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    faces = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )
    return grid.reshape(-1, 3).astype(np.float32), faces.astype(np.int32)


def darkness() -> Lighting:
    black = np.zeros(3)
    return Lighting(
        sky=black,
        ground=black,
        lobes=np.array([(0.0, 0.0, 1.0)]),
        colors=np.zeros((1, 3)),
        sharpness=np.ones(1),
        key=np.array((0.0, 0.0, 1.0)),
        key_color=black,
    )
