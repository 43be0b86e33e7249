"""A model in a process of its own, which answers one request after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ethos_data.errors import EthosError
from gui.viewer.process import ModelProcess
from gui.viewer.session import Factory, Failed, Locate, Ready, Request, Setup

REPLY_SECONDS: Final = 60.0
LOAD_SECONDS: Final = 300.0
"""Longest time for an answer of the model, and for loading it."""


class BackgroundModel:
    """The process. It is started by the first request. Only one thread may use it."""

    def __init__(
        self,
        get_setup: Callable[[], Setup],
        factory: Factory,
        is_closed: Callable[[], bool],
    ) -> None:
        """Prepares the model.

        Args:
          get_setup: Returns the model that the viewer uses. After a change, the next
            request loads the other model.
          factory: Loads models, in the other process.
          is_closed: Whether waiting for an answer should end.
        """
        self._get_setup, self._factory = get_setup, factory
        self._is_closed = is_closed
        self._process: ModelProcess | None = None
        self._loaded: Setup | None = None

    def stop(self) -> None:
        """Ends the process. The next request starts another one."""
        process, self._process = self._process, None
        self._loaded = None
        if process is not None:
            process.stop()

    def ask(self, request: Locate | Request) -> object:
        """Asks the model and waits for the answer.

        Raises:
          EthosError: The model cannot be loaded or does not answer.
          OSError, EOFError: The process has ended.
        """
        setup = self._get_setup()
        if self._process is None or setup != self._loaded:
            self._load(setup)
        assert self._process is not None
        self._process.send(request)
        return self._wait(REPLY_SECONDS)

    def _load(self, setup: Setup) -> None:
        if self._process is None:
            self._process = ModelProcess(self._factory)
            self._process.yield_to_others()
        self._process.send(setup)
        answer = self._wait(LOAD_SECONDS)
        if isinstance(answer, Failed):
            raise EthosError(answer.reason)
        assert isinstance(answer, Ready)
        self._loaded = setup

    def _wait(self, seconds: float) -> object:
        """The next message of the process."""
        assert self._process is not None
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._is_closed():
            message = self._process.receive(timeout=0.1)
            if message is not None:
                return message
        raise EthosError("the model does not answer")
