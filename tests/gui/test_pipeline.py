"""Stages in threads: order, errors, and an early end."""

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
    def slow(items):
        for item in items:
            time.sleep(0.02)
            yield item

    started = time.monotonic()
    with Stage(slow(range(20))) as first, Stage(slow(first)) as second:
        assert list(second) == list(range(20))
    assert time.monotonic() - started < 0.7  # one after the other: 0.8 s
