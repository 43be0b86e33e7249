"""A worker process of Beam's embedded engine, without its life story on stderr.

Started by `convert.py` for `--direct_running_mode multi_processing`, with the arguments
and the environment of `apache_beam.runners.worker.sdk_worker_main`.
"""

import contextlib
import io
import os
import sys
from typing import TextIO

from pipelines import logs

logs.quieten()  # before the first import of Beam, which has something to say

from apache_beam.runners.worker import sdk_worker_main  # noqa: E402


class _Errors(io.TextIOBase):
    """A stream, but for tracebacks of errors that end the job with one line anyway.

    Beam prints each traceback of a worker, in one piece, besides sending it.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if "ShardError" in text else self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()


if __name__ == "__main__":
    with contextlib.redirect_stderr(_Errors(sys.stderr)):
        sdk_worker_main.main(sys.argv)
        # Threads of gRPC that are still there would abort an orderly end.
        sys.stdout.flush()
        os._exit(0)
