import numpy as np

from ethos_data import topology


def test_each_landmark_is_in_exactly_one_group():
    landmarks = [i for group in topology.GROUPS.values() for i in group]
    assert sorted(landmarks) == list(range(topology.NUM_LANDMARKS))


def test_mirror_is_the_published_permutation():
    # Pairs of symmetric landmarks of 300-W, counted from 1, as other projects list them
    # (for example `symmetrical_parts` in annotation tools for 68 landmarks).
    pairs = (
        "1 17, 2 16, 3 15, 4 14, 5 13, 6 12, 7 11, 8 10, 18 27, 19 26, 20 25, 21 24, "
        "22 23, 32 36, 33 35, 37 46, 38 45, 39 44, 40 43, 41 48, 42 47, 49 55, 50 54, "
        "51 53, 62 64, 61 65, 68 66, 59 57, 60 56"
    )
    expected = np.arange(68)
    for pair in pairs.split(", "):
        a, b = (int(i) - 1 for i in pair.split())
        expected[a], expected[b] = b, a
    np.testing.assert_array_equal(topology.MIRROR, expected)


def test_the_mirrored_edges_are_the_same_edges():
    edges = {frozenset(e) for e in topology.EDGES}
    mirrored = {frozenset(int(topology.MIRROR[i]) for i in e) for e in edges}
    assert mirrored == edges


def test_face_box_and_size():
    points = np.array([[[1.0, 2.0, 9.0], [4.0, 14.0, -9.0], [2.0, 3.0, 0.0]]])
    box = topology.face_box(points)
    np.testing.assert_array_equal(box, [[1, 2, 4, 14]])
    np.testing.assert_allclose(topology.face_size(box), [6.0])  # sqrt(3 * 12)


def test_iou_agrees_with_counting_the_pixels_of_the_boxes():
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 20, (50, 2, 2, 2))
    low, high = corners.min(axis=2), corners.max(axis=2) + 1
    boxes = np.concatenate([low, high], axis=-1).astype(float)  # (50, 2, 4)
    for first, second in boxes:
        masks = np.zeros((2, 32, 32), bool)
        for mask, (x0, y0, x1, y1) in zip(masks, (first, second), strict=True):
            mask[int(y0) : int(y1), int(x0) : int(x1)] = True
        expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert topology.iou(first, second) == expected
    np.testing.assert_array_equal(
        topology.iou(boxes[:, 0], boxes[:, 1]),
        [topology.iou(first, second) for first, second in boxes],
    )


def test_iou_broadcasts_and_accepts_empty_boxes():
    box = np.array([0.0, 0, 2, 2])
    boxes = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6], [1, 1, 1, 1]])
    np.testing.assert_allclose(topology.iou(boxes, box), [1, 1 / 7, 0, 0])
    assert topology.iou(boxes[3], boxes[3]) == 0
    assert topology.iou(np.zeros((0, 4)), box).shape == (0,)
