"""Runs a worker process of Beam's embedded runner without its messages on stderr.

`runners.py` starts it for `--direct_running_mode multi_processing`, with the arguments
and the environment of `apache_beam.runners.worker.sdk_worker_main`.
"""

import contextlib
import io
import os
import sys
from typing import TextIO

from pipelines.beam import logs

logs.hide_beam_messages()  # Beam logs messages while it is imported

from apache_beam.runners.worker import sdk_worker_main  # noqa: E402


class _WithoutShardErrors(io.TextIOBase):
    """A stream that drops the traceback of a `ShardError`.

    Beam prints each traceback of a worker in one call and also sends it to the main
    process, which reports it in one line.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if "ShardError" in text else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


if __name__ == "__main__":
    with contextlib.redirect_stderr(_WithoutShardErrors(sys.stderr)):
        sdk_worker_main.main(sys.argv)
        # Threads of gRPC may still run. A normal exit would abort because of them.
        sys.stdout.flush()
        os._exit(0)
