"""Stages in threads: order, errors, and an early end."""

import threading

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
