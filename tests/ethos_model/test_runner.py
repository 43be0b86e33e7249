"""Several inputs run at the same time, each on a network of its own."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ethos_model import predict, runner


class Networks:
    """Loads fake networks, which must not be used by two threads at once.

    Attributes:
      loaded: Number of networks that were loaded.
    """

    def __init__(self, wait=lambda: None):
        self.loaded = 0
        self._wait = wait

    def load(self):
        self.loaded += 1
        lock = threading.Lock()

        def run(image):
            assert lock.acquire(blocking=False), "the network is in use"
            try:
                self._wait()
                if image.min() < 0:
                    raise ValueError("negative")
                return {"double": 2 * image}
            finally:
                lock.release()

        return run


def inputs(count: int) -> list[np.ndarray]:
    return [np.full((1, 2), number) for number in range(count)]


def test_outputs_are_in_the_order_of_the_inputs():
    networks = Networks()
    run_each = runner.in_parallel(networks.load, "image", 3)
    found = [output["double"][0, 0] for output in run_each(inputs(20))]
    assert found == list(range(0, 40, 2))
    assert networks.loaded == 3


def test_one_input_needs_one_network():
    networks = Networks()
    run_each = runner.in_parallel(networks.load, "image", 4)
    for _ in range(3):
        assert len(run_each(inputs(1))) == 1
    assert run_each([]) == []
    assert networks.loaded == 1


def test_two_inputs_run_at_the_same_time():
    # Each run waits until another one is running too.
    networks = Networks(threading.Barrier(2, timeout=60).wait)
    run_each = runner.in_parallel(networks.load, "image", 2)
    assert len(run_each(inputs(2))) == 2


def test_one_worker_runs_one_input_after_the_other():
    networks = Networks()
    run_each = runner.in_parallel(networks.load, "image", 1)
    assert len(run_each(inputs(5))) == 5
    assert networks.loaded == 1


def test_a_network_can_be_used_again_after_an_error():
    networks = Networks()
    run_each = runner.in_parallel(networks.load, "image", 2)
    for _ in range(5):
        with pytest.raises(ValueError, match="negative"):
            run_each([np.array([[1]]), np.array([[-1]])])
    assert len(run_each(inputs(4))) == 4


def test_the_number_of_processors_is_known():
    assert runner.processors() >= 1


def test_faces_of_a_batch_are_predicted_like_single_faces():
    _, network = predict.load_network(predict.find(None), "litert")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (9, 112, 112, 3), dtype=np.uint8)
    together = network(images)
    for number, image in enumerate(images):
        for name, values in network(image[None]).items():
            np.testing.assert_array_equal(together[name][number], values[0])
