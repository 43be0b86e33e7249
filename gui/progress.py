"""How far a long piece of work has come, on stderr."""

from __future__ import annotations

import sys
import time


class Progress:
    """One line on stderr, written over; where it is no tty, a line for each tenth."""

    def __init__(self, name: str, total: int | None) -> None:
        self._name, self._total = name, total
        self._start = self._shown = time.monotonic()
        self._tenth = 0
        self._tty = sys.stderr.isatty()

    def update(self, done: int, with_face: int) -> None:
        now = time.monotonic()
        tenth = 10 * done // self._total if self._total else 0
        if self._tty and now - self._shown > 0.1:
            print(
                f"\r{self._line(done, with_face, now)}\x1b[K", end="", file=sys.stderr
            )
            self._shown = now
        elif not self._tty and tenth > self._tenth:
            self._tenth = tenth
            print(self._line(done, with_face, now), file=sys.stderr, flush=True)

    def _line(self, done: int, with_face: int, now: float) -> str:
        rate = done / max(now - self._start, 1e-6)
        text = f"{self._name}  {done}"
        if self._total:
            share = min(1.0, done / self._total)
            bar = "#" * round(20 * share)
            left = round(max(0, self._total - done) / max(rate, 1e-6))
            text = f"{self._name}  [{bar:.<20}] {done}/{self._total}"
            text += f"  {left // 60}:{left % 60:02d} left"
        return f"{text}  {rate:.1f} frames/s  {with_face} with a face"

    def close(self) -> None:
        if self._tty:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
