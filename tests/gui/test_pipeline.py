"""Stages in threads: order, errors, and an early end."""

import itertools
import threading
import time

import pytest

from gui.pipeline import Stage


def test_items_keep_their_order_through_several_stages():
    with (
        Stage(range(100)) as numbers,
        Stage(number + 1 for number in numbers) as larger,
        Stage(2 * number for number in larger) as results,
    ):
        assert list(results) == [2 * (number + 1) for number in range(100)]


def test_an_error_appears_where_its_item_would_have_been():
    def items():
        yield 1
        yield 2
        raise ValueError("third")

    received = []
    with (
        Stage(items()) as first,
        Stage(item for item in first) as second,
        pytest.raises(ValueError, match="third"),
    ):
        received.extend(second)
    assert received == [1, 2]


def test_stages_end_when_the_consumer_ends():
    threads = threading.active_count()
    produced = []

    def items():
        for number in range(1000):
            produced.append(number)
            yield number

    with Stage(items()) as first, Stage(item for item in first) as second:
        for item in second:
            if item == 5:
                break
    assert threading.active_count() == threads
    assert len(produced) < 30


def test_stages_run_at_the_same_time():
    produced_next = threading.Event()

    def produce():
        yield 0
        produced_next.set()
        yield 1

    def wait_for_the_first_stage(items):
        for item in items:
            # Without threads, nobody produces item 1 before item 0 is passed on.
            assert produced_next.wait(60)
            yield item

    with Stage(produce()) as first, Stage(wait_for_the_first_stage(first)) as second:
        assert list(second) == [0, 1]


def test_a_stopped_stage_ends_the_stages_that_wait_for_it():
    """A consumer that collects many items must not delay the end."""
    produced = []

    def items():
        for number in itertools.count():
            produced.append(number)
            yield number

    def blocks(numbers):
        while block := list(itertools.islice(numbers, 10**9)):
            yield block

    with Stage(items()) as numbers, Stage(blocks(iter(numbers))) as result:
        while len(produced) < 100:
            time.sleep(0.001)
        numbers.stop()
        (block,) = result
    assert block == list(range(len(block)))
