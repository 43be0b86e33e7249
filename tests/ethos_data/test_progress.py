"""Progress bars write few lines to a log and show the last count."""

import io

from ethos_data import progress


def test_a_log_gets_few_lines_and_the_last_count():
    stream = io.StringIO()
    with progress.bar(1000, "frames", description="video", stream=stream) as bar:
        for _ in range(1000):
            bar.update()
    text = stream.getvalue()
    assert "1000/1000" in text
    assert text.count("\r") <= 4


def test_counter_moves_the_bar_to_a_count():
    with progress.bar(None, "files", stream=io.StringIO()) as bar:
        update = progress.counter(bar)
        update(3, 10)
        update(7, 10)
        assert (bar.n, bar.total) == (7, 10)


def test_a_reported_bar_appears_with_the_first_call():
    stream = io.StringIO()
    with progress.reporting("files", stream=stream) as report:
        assert stream.getvalue() == ""
        report(3, 10)
        assert "0/10" in stream.getvalue()
        report(10, 10)
    assert "10/10" in stream.getvalue()
