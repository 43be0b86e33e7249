"""The renderer against spheres, planes and projections worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from ethos_data.heads import appearance, background, lighting, raster, render
from ethos_data.heads.figure import Figure
from ethos_data.heads.lighting import Lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import EYE, FACE
from ethos_data.heads.raster import Camera
from ethos_data.heads.render import Pose
from ethos_data.topology import EYES, MIRROR

SIZE = 160


def sphere(radius: float, rings: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """A sphere around the origin, counter-clockwise from outside."""
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
    none = np.zeros(3)
    return Lighting(
        sky=none,
        ground=none,
        lobes=np.array([(0.0, 0.0, 1.0)]),
        colors=np.zeros((1, 3)),
        sharpness=np.ones(1),
        key=np.array((0.0, 0.0, 1.0)),
        key_color=none,
    )


@pytest.fixture(scope="module")
def person() -> Figure:
    return render.sample_figure(HeadModel.builtin(), np.random.default_rng(11))


@pytest.fixture(scope="module")
def bald() -> Figure:
    model, rng = HeadModel.builtin(), np.random.default_rng(3)
    look = dataclasses.replace(
        appearance.sample_look(rng), hair_style="bald", beard=0.0, collar=0.0
    )
    return render.figures.build(model, np.zeros(model.num_identity), look, rng)


def shot(
    figure: Figure,
    pose: Pose,
    *,
    distance: float = 80.0,
    light: Lighting | None = None,
    expression: np.ndarray | None = None,
) -> tuple[render.Rendering, Camera]:
    camera = render.aim(
        figure,
        pose,
        height=SIZE,
        width=SIZE,
        face_size=80,
        center=(80, 84),
        distance=distance,
    )
    values = np.zeros(figure.model.num_expression) if expression is None else expression
    backdrop = background.plain(SIZE, SIZE)
    picture = render.render(
        figure, values, pose, camera, light or lighting.studio(), backdrop
    )
    return picture, camera


def test_a_sphere_has_its_depth_and_its_normals() -> None:
    vertices, triangles = sphere(5.0)
    camera = Camera(101, 121, 8.0, (60.0, 50.0))
    hits = raster.trace(vertices, triangles, camera)
    y, x = np.mgrid[:101, :121].astype(float)
    inside = 40**2 - (x - 60) ** 2 - (y - 50) ** 2
    sure = inside > 0.05 * 40**2
    expected = np.sqrt(np.maximum(inside, 0))
    np.testing.assert_allclose(hits.depth[sure], expected[sure], atol=0.08)
    assert np.isnan(hits.depth[inside < 0]).all()

    normals = raster.vertex_normals(vertices, triangles)
    corners = normals[triangles[hits.triangle[sure]]]
    seen = (corners * hits.weights[sure][..., None]).sum(axis=1)
    known = np.stack([x - 60, 50 - y, expected], axis=-1)[sure] / 40
    cosines = (seen * known).sum(axis=1) / np.linalg.norm(seen, axis=1)
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).max() < 1.5


def test_a_sphere_in_perspective_is_seen_along_its_rays() -> None:
    vertices, triangles = sphere(5.0)
    camera = Camera(121, 121, 8.0, (60.0, 60.0), distance=20.0)
    depth = raster.trace(vertices, triangles, camera).depth
    # The ray through a pixel starts at (0, 0, 20) and passes (X, Y, 0).
    y, x = np.mgrid[:121, :121].astype(float)
    to = np.stack([(x - 60) / 8, (60 - y) / 8, np.full_like(x, -20.0)], axis=-1)
    a, b, c = (to**2).sum(-1), 20 * to[..., 2], 400 - 25
    inside = b * b - a * c
    t = (-b - np.sqrt(np.maximum(inside, 0))) / a
    sure = inside > 0.08 * (b * b)
    np.testing.assert_allclose(depth[sure], 8 * (20 + t * to[..., 2])[sure], atol=0.08)
    # Its outline is wider than in parallel projection.
    assert np.isfinite(depth[60]).sum() == pytest.approx(2 * 8 * 20 / 15**0.5, abs=2)


@pytest.mark.parametrize("distance", [float("inf"), 30.0])
def test_a_tilted_plane_is_exact_at_every_pixel(distance: float) -> None:
    corners = np.float32([(-6, -6, -3), (6, -6, 3), (6, 6, 5), (-6, 6, -1)])
    triangles = np.int32([[0, 1, 2], [0, 2, 3]])
    camera = Camera(64, 64, 4.0, (31.0, 33.0), distance)
    depth = raster.trace(corners, triangles, camera).depth
    y, x = np.mgrid[:64, :64].astype(float)
    # z = X / 2 + Y / 6 + 1; the ray is (X, Y, z) = (u, v, 0) + t (-u, -v, distance).
    u, v = (x - 31) / 4, (33 - y) / 4
    if np.isinf(distance):
        z = u / 2 + v / 6 + 1
    else:
        z = distance * (t := (u / 2 + v / 6 + 1) / (distance + u / 2 + v / 6))
        assert (t < 1).all()
    seen = np.isfinite(depth)
    assert seen.sum() > 1000
    np.testing.assert_allclose(depth[seen], 4 * z[seen], atol=1e-3)


def test_no_pixel_falls_between_two_triangles() -> None:
    corners = np.float32([(-5, -5, 0), (0, -5, 0), (0, 5, 0), (-5, 5, 0), (5, -5, 0)])
    corners = np.concatenate([corners, np.float32([(5, 5, 0)])])
    triangles = np.int32([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
    hits = raster.trace(corners, triangles, Camera(81, 81, 7.0, (40.0, 40.0)))
    assert (hits.triangle[6:75, 6:75] >= 0).all()


def test_backs_of_triangles_are_culled_on_request() -> None:
    corners = np.float32([(-5, -5, 0), (5, -5, 0), (0, 5, 0)])
    camera = Camera(32, 32, 3.0, (16.0, 16.0))
    away = np.int32([[0, 2, 1]])
    assert (raster.trace(corners, away, camera).triangle < 0).all()
    both = raster.trace(corners, away, camera, cull=False)
    front = raster.trace(corners, away[:, ::-1].copy(), camera)
    np.testing.assert_array_equal(both.triangle, front.triangle)


def test_a_supersampled_camera_sees_the_same_picture() -> None:
    camera = Camera(40, 50, 3.0, (20.0, 17.5), 60.0)
    points = np.random.default_rng(0).normal(0, 4, (50, 3))
    fine, coarse = camera.supersampled(2).project(points), camera.project(points)
    # Pixel k covers samples 2k and 2k + 1, whose middle is 2k + 0.5.
    np.testing.assert_allclose(fine[:, :2], 2 * coarse[:, :2] + 0.5)
    np.testing.assert_allclose(fine[:, 2], 2 * coarse[:, 2])


@pytest.mark.parametrize("distance", [float("inf"), 60.0])
def test_landmarks_match_a_projection_by_matrices(
    person: Figure, distance: float
) -> None:
    pose = Pose(yaw=33, pitch=-8, roll=6, torso=10)
    values = person.model.sample_expression(np.random.default_rng(2))
    picture, camera = shot(person, pose, distance=distance, expression=values)
    a, b, c = np.radians((33, -8, 6))
    yaw = np.array([(np.cos(a), 0, np.sin(a)), (0, 1, 0), (-np.sin(a), 0, np.cos(a))])
    pitch = np.array([(1, 0, 0), (0, np.cos(b), -np.sin(b)), (0, np.sin(b), np.cos(b))])
    roll = np.array([(np.cos(c), -np.sin(c), 0), (np.sin(c), np.cos(c), 0), (0, 0, 1)])
    expressed = person.shape + np.einsum("k,kvc->vc", values, person.model.expression)
    marks = expressed[person.model.landmarks68] - person.pivot
    turned = (roll @ pitch @ yaw @ marks.T).T
    shrink = 1.0 if np.isinf(distance) else distance / (distance - turned[:, 2])
    x = camera.center[0] + camera.scale * turned[:, 0] * shrink
    y = camera.center[1] - camera.scale * turned[:, 1] * shrink
    z = camera.scale * (turned[:, 2] - turned[EYES, 2].mean())
    expected = np.stack([x, y, z], axis=1)
    np.testing.assert_allclose(picture.landmarks, expected, atol=2e-3)
    assert picture.landmarks[EYES, 2].mean() == pytest.approx(0, abs=1e-3)


def test_a_pose_turns_as_it_says(bald: Figure) -> None:
    straight, _ = shot(bald, Pose())
    right, _ = shot(bald, Pose(yaw=30))
    down, _ = shot(bald, Pose(pitch=20))
    lean, _ = shot(bald, Pose(roll=20))

    def nose_from_eyes(picture: render.Rendering) -> np.ndarray:
        marks = picture.landmarks
        return marks[30, :2] - marks[EYES, :2].mean(axis=0)

    assert nose_from_eyes(right)[0] > nose_from_eyes(straight)[0] + 10
    assert nose_from_eyes(down)[1] > nose_from_eyes(straight)[1] + 3
    # The top of the head leans left, so the chin lies to the right of the nose bridge.
    assert lean.landmarks[8, 0] > lean.landmarks[27, 0] + 10


def test_depth_at_visible_landmarks_is_their_z(bald: Figure) -> None:
    for yaw in (-50, 0, 25):
        picture, _ = shot(bald, Pose(yaw=yaw))
        inner = [i for i in range(17, 68) if picture.visible[i]]
        assert len(inner) > 20
        errors = []
        for x, y, z in picture.landmarks[inner]:
            column, row = round(float(x)), round(float(y))
            around = picture.depth[row - 1 : row + 2, column - 1 : column + 2]
            if np.isnan(around).any():
                continue  # on the outline, where a pixel's width is a great depth
            assert np.nanmin(around) - 0.5 <= z <= np.nanmax(around) + 0.5
            errors.append(abs(picture.depth[row, column] - z))
        assert np.nanmedian(errors) < 0.6


def test_a_turned_head_hides_its_far_side(bald: Figure) -> None:
    straight, _ = shot(bald, Pose())
    assert straight.visible[17:].mean() > 0.95
    turned, _ = shot(bald, Pose(yaw=55))
    # The face turns to the right of the picture: its left side is hidden from view.
    assert turned.visible[0:7].all()
    assert not turned.visible[10:16].any()
    assert not turned.visible[45]
    other, _ = shot(bald, Pose(yaw=-55))
    agree = turned.visible == other.visible[MIRROR]
    assert agree.mean() > 0.95


def test_landmarks_outside_the_picture_are_hidden(bald: Figure) -> None:
    pose = Pose()
    camera = render.aim(
        bald, pose, height=SIZE, width=SIZE, face_size=80, center=(0, 80)
    )
    none = np.zeros(bald.model.num_expression)
    backdrop = background.plain(SIZE, SIZE)
    picture = render.render(bald, none, pose, camera, lighting.studio(), backdrop)
    outside = picture.landmarks[:, 0] < 0
    assert outside.sum() > 20
    assert not picture.visible[outside].any()


def test_depth_covers_the_head_alone(person: Figure) -> None:
    picture, _ = shot(person, Pose(yaw=10))
    seen = set(np.unique(picture.kinds).tolist())
    assert {FACE, EYE, appearance.CLOTH, 255} <= seen
    np.testing.assert_array_equal(
        np.isfinite(picture.depth), picture.kinds < appearance.HAIR
    )


def test_aim_puts_the_face_where_it_is_wanted(person: Figure) -> None:
    for yaw, distance in ((0, np.inf), (40, 60.0)):
        picture, _ = shot(person, Pose(yaw=yaw), distance=distance)
        low = picture.landmarks[:, :2].min(axis=0)
        high = picture.landmarks[:, :2].max(axis=0)
        np.testing.assert_allclose((low + high) / 2, (80, 84), atol=0.01)
    picture, _ = shot(person, Pose(), distance=np.inf)
    extent = np.ptp(picture.landmarks[:, :2], axis=0)
    assert np.sqrt(np.prod(extent)) == pytest.approx(80, rel=0.15)


def test_without_light_the_person_is_black_before_the_background(bald: Figure) -> None:
    picture, _ = shot(bald, Pose(), light=darkness())
    inside = picture.kinds == FACE
    inside[1:-1, 1:-1] &= inside[:-2, 1:-1] & inside[2:, 1:-1]
    inside[1:-1, 1:-1] &= inside[1:-1, :-2] & inside[1:-1, 2:]
    assert picture.image[inside].max() <= 30  # a rim of antialiased pixels at most
    assert np.median(picture.image[inside]) == 0
    assert picture.image[2, 2].min() > 60


def test_light_comes_from_where_it_stands(bald: Figure) -> None:
    for side in (-1, 1):
        key = np.array((side * 0.8, 0.1, 0.6))
        light = dataclasses.replace(
            darkness(), key=key / np.linalg.norm(key), key_color=np.ones(3)
        )
        picture, _ = shot(bald, Pose(), light=light)
        cheeks = {}
        for name, corner in ((-1, (4, 31)), (1, (12, 35))):
            x, y = picture.landmarks[list(corner), :2].mean(axis=0).round().astype(int)
            cheeks[name] = picture.image[y - 2 : y + 3, x - 2 : x + 3].mean()
        assert cheeks[side] > 1.5 * cheeks[-side]


def test_a_ball_casts_a_shadow_on_a_wall() -> None:
    ball, faces = sphere(2.0, 24)
    wall = np.float32([(-9, -9, -6), (9, -9, -6), (9, 9, -6), (-9, 9, -6)])
    vertices = np.concatenate([ball, wall]).astype(np.float32)
    quads = np.int32([[0, 1, 2], [0, 2, 3]]) + len(ball)
    triangles = np.concatenate([faces, quads.astype(np.int32)])
    direction = np.array((0.6, 0.0, 0.8))
    depth, _, scale = raster.shadow_map(vertices, triangles, direction, 200)
    # The shadow's middle lies at ball - t * direction with z = -6: x = -4.5.
    probes = np.float32([(-4.5, 0, -6), (4.5, 0, -6), (-4.5, 4, -6), (0, 0, -6)])
    _, points, _ = raster.shadow_map(
        np.concatenate([vertices, probes]), triangles, direction, 200
    )
    bias = np.float32(0.25 * scale)
    lit = [
        raster.reaches(depth, *(float(c) for c in p), bias)
        for p in points[len(vertices) :]
    ]
    assert lit == [0, 1, 1, 1]


def test_a_white_ball_under_a_white_sky_is_white() -> None:
    from ethos_data.heads.figure import _transfer

    vertices, triangles = sphere(6.0, 40)
    transfer, hidden = _transfer(
        vertices, raster.vertex_normals(vertices, triangles), triangles
    )
    used = np.abs(vertices[:, 2]) < 5.999  # the poles are there more than once
    # Convex: it hides none of its own sky. 48 directions make it so within 7 %.
    np.testing.assert_allclose(transfer[used].sum(axis=1), 1, atol=0.07)
    assert hidden[used].max() < 0.07


def test_irradiance_is_the_sum_over_directions() -> None:
    from ethos_data.heads import shading

    rng = np.random.default_rng(0)
    transfer, hidden = rng.random((30, 48)), rng.random(30)
    radiance, bounce = rng.random((48, 3)), rng.random(3)
    args = (a.astype(np.float32) for a in (transfer, hidden, radiance, bounce))
    expected = transfer @ radiance + hidden[:, None] * bounce
    np.testing.assert_allclose(shading.light_softly(*args), expected, rtol=1e-5)


def test_tone_map_is_srgb_below_the_knee_and_never_falls() -> None:
    ramp = np.linspace(0, 3, 2000, dtype=np.float32)
    values = render.tone_map(ramp).astype(int)
    assert (np.diff(values) >= 0).all()
    assert values[-1] == 255
    linear = appearance.to_linear(np.arange(0, 225, 8))
    np.testing.assert_allclose(
        render.tone_map(linear.astype(np.float32)), np.arange(0, 225, 8), atol=1
    )


def test_the_same_seed_gives_the_same_picture() -> None:
    first, again = render.render_sample(4, 96), render.render_sample(4, 96)
    other = render.render_sample(5, 96)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.depth, again.depth)
    assert (first.image != other.image).mean() > 0.2


def test_backgrounds_have_structure_and_range() -> None:
    for seed in range(12):
        picture = background.sample_background(np.random.default_rng(seed), 60, 80)
        assert picture.shape == (60, 80, 3)
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.std() > 1e-3


@pytest.mark.parametrize("yaw", [-50, -20, 0, 35])
def test_nothing_shines_through_the_head(bald: Figure, yaw: float) -> None:
    values = np.zeros(bald.model.num_expression)
    values[bald.model.expression_names.index("jawOpen")] = 0.8
    camera = render.aim(
        bald, Pose(yaw), height=320, width=320, face_size=180, center=(160, 165)
    )
    vertices = render.world(bald, values, Pose(yaw))
    seen = raster.trace(vertices, bald.triangles, camera).triangle >= 0
    np.testing.assert_array_equal(seen, ndimage.binary_fill_holes(seen))


@pytest.mark.parametrize("style", ["bald", "shaved", "short", "medium", "long"])
@pytest.mark.parametrize("glasses", ["none", "dark"])
def test_every_style_renders_with_its_parts(style: str, glasses: str) -> None:
    model, rng = HeadModel.builtin(), np.random.default_rng(8)
    look = dataclasses.replace(
        appearance.sample_look(rng), hair_style=style, glasses=glasses, fringe=0.0
    )
    figure = render.figures.build(model, np.zeros(0), look, rng)
    picture, _ = shot(figure, Pose())
    seen = set(np.unique(picture.kinds).tolist())
    assert (appearance.HAIR in seen) == (style in ("short", "medium", "long"))
    assert (appearance.GLASSES in seen) == (glasses == "dark")
    # Dark glasses hide the eyes, and only they do.
    assert picture.visible[EYES].any() == (glasses == "none")
    assert picture.visible[48:60].all()
    assert np.isnan(picture.depth[picture.kinds == appearance.GLASSES]).all()
