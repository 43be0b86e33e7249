"""The renderer: landmarks, depth, visibility and light of rendered people."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from ethos_data.heads import raster, shading
from ethos_data.heads.background import plain_background, sample_background
from ethos_data.heads.figure import (
    Figure,
    _light_transfer,
    build_figure,
    sample_figure,
)
from ethos_data.heads.lighting import Lighting, studio_lighting
from ethos_data.heads.model import HeadModel
from ethos_data.heads.parts import CLOTH, EYE, FACE, GLASSES, HAIR, NO_PART
from ethos_data.heads.person.appearance import sample_look, to_linear
from ethos_data.heads.pose import Pose, aim, posed_vertices
from ethos_data.heads.raster import Camera
from ethos_data.heads.render import Rendering, render, render_sample, tone_map
from ethos_data.topology import EYES, MIRROR
from tests.ethos_data.heads.meshes import darkness, sphere

SIZE = 160


@pytest.fixture(scope="module")
def person() -> Figure:
    return sample_figure(HeadModel.builtin(), np.random.default_rng(11))


@pytest.fixture(scope="module")
def bald() -> Figure:
    """The mean person, without hair, beard and neckline."""
    model, rng = HeadModel.builtin(), np.random.default_rng(3)
    look = dataclasses.replace(
        sample_look(rng), hair_style="bald", beard=0.0, collar=0.0
    )
    return build_figure(model, np.zeros(model.num_identity), look, rng)


def render_person(
    figure: Figure,
    pose: Pose,
    *,
    distance: float = 80.0,
    light: Lighting | None = None,
    expression: np.ndarray | None = None,
) -> tuple[Rendering, Camera]:
    camera = aim(
        figure,
        pose,
        height=SIZE,
        width=SIZE,
        face_size=80,
        center=(80, 84),
        distance=distance,
    )
    values = np.zeros(figure.model.num_expression) if expression is None else expression
    background = plain_background(SIZE, SIZE)
    light = light or studio_lighting()
    return render(figure, values, pose, camera, light, background), camera


@pytest.mark.parametrize("distance", [float("inf"), 60.0])
def test_landmarks_match_a_projection_by_matrices(
    person: Figure, distance: float
) -> None:
    pose = Pose(yaw=33, pitch=-8, roll=6, torso=10)
    values = person.model.sample_expression(np.random.default_rng(2))
    rendering, camera = render_person(
        person, pose, distance=distance, expression=values
    )
    a, b, c = np.radians((33, -8, 6))
    yaw = np.array([(np.cos(a), 0, np.sin(a)), (0, 1, 0), (-np.sin(a), 0, np.cos(a))])
    pitch = np.array([(1, 0, 0), (0, np.cos(b), -np.sin(b)), (0, np.sin(b), np.cos(b))])
    roll = np.array([(np.cos(c), -np.sin(c), 0), (np.sin(c), np.cos(c), 0), (0, 0, 1)])
    vertices = person.shape + np.einsum("k,kvc->vc", values, person.model.expression)
    landmarks = vertices[person.model.landmarks68] - person.pivot
    turned = (roll @ pitch @ yaw @ landmarks.T).T
    shrink = 1.0 if np.isinf(distance) else distance / (distance - turned[:, 2])
    x = camera.center[0] + camera.scale * turned[:, 0] * shrink
    y = camera.center[1] - camera.scale * turned[:, 1] * shrink
    z = camera.scale * (turned[:, 2] - turned[EYES, 2].mean())
    expected = np.stack([x, y, z], axis=1)
    np.testing.assert_allclose(rendering.landmarks, expected, atol=2e-3)
    assert rendering.landmarks[EYES, 2].mean() == pytest.approx(0, abs=1e-3)


def test_signs_of_the_pose_angles(bald: Figure) -> None:
    straight, _ = render_person(bald, Pose())
    right, _ = render_person(bald, Pose(yaw=30))
    down, _ = render_person(bald, Pose(pitch=20))
    tilted, _ = render_person(bald, Pose(roll=20))

    def eyes_to_nose(rendering: Rendering) -> np.ndarray:
        landmarks = rendering.landmarks
        return landmarks[30, :2] - landmarks[EYES, :2].mean(axis=0)

    assert eyes_to_nose(right)[0] > eyes_to_nose(straight)[0] + 10
    assert eyes_to_nose(down)[1] > eyes_to_nose(straight)[1] + 3
    # The top of the head tilts to the left, so the chin is right of the nose bridge.
    assert tilted.landmarks[8, 0] > tilted.landmarks[27, 0] + 10


def test_depth_at_visible_landmarks_equals_their_z(bald: Figure) -> None:
    for yaw in (-50, 0, 25):
        rendering, _ = render_person(bald, Pose(yaw=yaw))
        visible = [k for k in range(17, 68) if rendering.visible[k]]
        assert len(visible) > 20
        errors = []
        for x, y, z in rendering.landmarks[visible]:
            column, row = round(float(x)), round(float(y))
            around = rendering.depth[row - 1 : row + 2, column - 1 : column + 2]
            if np.isnan(around).any():
                continue  # At an outline, depth changes much within a pixel.
            assert np.nanmin(around) - 0.5 <= z <= np.nanmax(around) + 0.5
            errors.append(abs(rendering.depth[row, column] - z))
        assert np.nanmedian(errors) < 0.6


def test_turned_head_hides_landmarks_of_the_far_side(bald: Figure) -> None:
    straight, _ = render_person(bald, Pose())
    assert straight.visible[17:].mean() > 0.95
    turned, _ = render_person(bald, Pose(yaw=55))
    # The face turns to the right of the image, which hides the person's left side.
    assert turned.visible[0:7].all()
    assert not turned.visible[10:16].any()
    assert not turned.visible[45]
    turned_back, _ = render_person(bald, Pose(yaw=-55))
    agreement = turned.visible == turned_back.visible[MIRROR]
    assert agreement.mean() > 0.95


def test_landmarks_outside_of_the_image_are_hidden(bald: Figure) -> None:
    pose = Pose()
    camera = aim(bald, pose, height=SIZE, width=SIZE, face_size=80, center=(0, 80))
    expression = np.zeros(bald.model.num_expression)
    background = plain_background(SIZE, SIZE)
    rendering = render(bald, expression, pose, camera, studio_lighting(), background)
    is_outside = rendering.landmarks[:, 0] < 0
    assert is_outside.sum() > 20
    assert not rendering.visible[is_outside].any()


def test_depth_covers_only_the_head(person: Figure) -> None:
    rendering, _ = render_person(person, Pose(yaw=10))
    assert {FACE, EYE, CLOTH, NO_PART} <= set(np.unique(rendering.parts).tolist())
    np.testing.assert_array_equal(np.isfinite(rendering.depth), rendering.parts < HAIR)


def test_aim_places_the_face(person: Figure) -> None:
    for yaw, distance in ((0, np.inf), (40, 60.0)):
        rendering, _ = render_person(person, Pose(yaw=yaw), distance=distance)
        low = rendering.landmarks[:, :2].min(axis=0)
        high = rendering.landmarks[:, :2].max(axis=0)
        np.testing.assert_allclose((low + high) / 2, (80, 84), atol=0.01)
    rendering, _ = render_person(person, Pose(), distance=np.inf)
    size = np.ptp(rendering.landmarks[:, :2], axis=0)
    assert np.sqrt(np.prod(size)) == pytest.approx(80, rel=0.15)


def test_without_light_the_person_is_black(bald: Figure) -> None:
    rendering, _ = render_person(bald, Pose(), light=darkness())
    # Pixels at the outline also show the background.
    is_inner = ndimage.binary_erosion(rendering.parts == FACE, np.ones((3, 3)))
    assert np.median(rendering.image[is_inner]) == 0
    assert rendering.image[is_inner].max() <= 30
    assert rendering.image[2, 2].min() > 60


def test_the_side_towards_the_light_is_brighter(bald: Figure) -> None:
    for side in (-1, 1):
        key = np.array((side * 0.8, 0.1, 0.6))
        light = dataclasses.replace(
            darkness(), key=key / np.linalg.norm(key), key_color=np.ones(3)
        )
        rendering, _ = render_person(bald, Pose(), light=light)
        cheeks = {}
        for cheek, around in ((-1, (4, 31)), (1, (12, 35))):
            center = rendering.landmarks[list(around), :2].mean(axis=0)
            x, y = center.round().astype(int)
            cheeks[cheek] = rendering.image[y - 2 : y + 3, x - 2 : x + 3].mean()
        assert cheeks[side] > 1.5 * cheeks[-side]


def test_white_ball_in_white_light_is_white() -> None:
    vertices, triangles = sphere(6.0, 40)
    normals = raster.vertex_normals(vertices, triangles)
    transfer, hidden = _light_transfer(vertices, normals, triangles)
    # The vertices at the poles are repeated, and each copy has only a part of the
    # triangles.
    is_inner = np.abs(vertices[:, 2]) < 5.999
    # A convex body hides nothing. 48 directions are exact to within 7 %.
    np.testing.assert_allclose(transfer[is_inner].sum(axis=1), 1, atol=0.07)
    assert hidden[is_inner].max() < 0.07


def test_soft_irradiance_is_the_sum_over_directions() -> None:
    rng = np.random.default_rng(0)
    transfer, hidden = rng.random((30, 48)), rng.random(30)
    radiance, bounce = rng.random((48, 3)), rng.random(3)
    arguments = (a.astype(np.float32) for a in (transfer, hidden, radiance, bounce))
    expected = transfer @ radiance + hidden[:, None] * bounce
    irradiance = shading.soft_irradiance(*arguments)
    np.testing.assert_allclose(irradiance, expected, rtol=1e-5)


def test_tone_map_is_srgb_below_the_knee_and_monotonic() -> None:
    ramp = np.linspace(0, 3, 2000, dtype=np.float32)
    values = tone_map(ramp).astype(int)
    assert (np.diff(values) >= 0).all()
    assert values[-1] == 255
    srgb = np.arange(0, 225, 8)
    linear = to_linear(srgb).astype(np.float32)
    np.testing.assert_allclose(tone_map(linear), srgb, atol=1)


def test_equal_seeds_give_equal_images() -> None:
    first, second = render_sample(4, 96), render_sample(4, 96)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.depth, second.depth)
    other_seed = render_sample(5, 96)
    assert (first.image != other_seed.image).mean() > 0.2


def test_random_backgrounds_have_contrast_and_valid_values() -> None:
    for seed in range(12):
        background = sample_background(np.random.default_rng(seed), 60, 80)
        assert background.shape == (60, 80, 3)
        assert background.dtype == np.float32
        assert np.isfinite(background).all()
        assert background.min() >= 0
        assert background.std() > 1e-3


@pytest.mark.parametrize("yaw", [-50, -20, 0, 35])
def test_head_has_no_holes(bald: Figure, yaw: float) -> None:
    values = np.zeros(bald.model.num_expression)
    values[bald.model.expression_names.index("jawOpen")] = 0.8
    camera = aim(
        bald, Pose(yaw), height=320, width=320, face_size=180, center=(160, 165)
    )
    vertices = posed_vertices(bald, values, Pose(yaw))
    is_covered = raster.trace(vertices, bald.triangles, camera).triangle >= 0
    np.testing.assert_array_equal(is_covered, ndimage.binary_fill_holes(is_covered))


@pytest.mark.parametrize("style", ["bald", "shaved", "short", "medium", "long"])
@pytest.mark.parametrize("glasses", ["none", "dark"])
def test_hair_and_glasses_appear_in_the_image(style: str, glasses: str) -> None:
    model, rng = HeadModel.builtin(), np.random.default_rng(8)
    look = dataclasses.replace(
        sample_look(rng), hair_style=style, glasses=glasses, fringe=0.0
    )
    figure = build_figure(model, np.zeros(0), look, rng)
    rendering, _ = render_person(figure, Pose())
    parts = set(np.unique(rendering.parts).tolist())
    assert (HAIR in parts) == (style in ("short", "medium", "long"))
    assert (GLASSES in parts) == (glasses == "dark")
    # Dark glasses hide the eyes and nothing else.
    assert rendering.visible[EYES].any() == (glasses == "none")
    assert rendering.visible[48:60].all()
    assert np.isnan(rendering.depth[rendering.parts == GLASSES]).all()
