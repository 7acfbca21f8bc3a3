"""Calls to one server behind a breaker: bounded in time, refused at once while it rests."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Final

from runtime import metrics
from runtime.breaker import Breaker
from runtime.clock import mono_ns
from runtime.logs import get_logger

JITTER: Final = 0.5
"""Of the rest, at least this share is kept."""

_log = get_logger(__name__)


class Resting(ConnectionError):
    """The call was not made: the ones before have failed."""


class Guard:
    """``lost``: what a call raises when the server is away or, ``silence``, does not answer in
    time; anything else that it raises is an answer. ``limit_s``: a call that takes longer raises
    TimeoutError."""

    def __init__(
        self,
        name: str,
        breaker: Breaker,
        lost: tuple[type[Exception], ...],
        silence: tuple[type[Exception], ...] = (TimeoutError,),
        limit_s: float | None = None,
    ) -> None:
        self._name = name
        self._breaker = breaker
        self._lost = lost
        self._silence = silence
        self._limit_s = limit_s
        self._refused = metrics.CALLS_REFUSED.labels(server=name)
        self._seconds = metrics.CALL_SECONDS.labels(server=name)
        metrics.BREAKER_OPEN.labels(server=name).set_function(lambda: float(breaker.is_open))

    @property
    def is_open(self) -> bool:
        return self._breaker.is_open

    @contextlib.asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Raises Resting, TimeoutError, and what the call raises."""
        breaker, started_ns = self._breaker, mono_ns()
        if not breaker.allows(started_ns):
            self._refused.inc()
            raise Resting(f"{self._name} is not asked for a moment: {breaker.cause}")
        told = False
        try:
            async with asyncio.timeout(self._limit_s):
                yield
            told = True
            self._succeeded()
        except self._lost as error:
            told = True
            self._failed(error)
            raise
        except Exception:
            told = True
            self._succeeded()
            raise
        finally:
            if not told:
                breaker.abandoned()
            self._seconds.observe((mono_ns() - started_ns) / 1e9)

    def _succeeded(self) -> None:
        was_open = self._breaker.is_open
        self._breaker.succeeded()
        if was_open:
            _log.info("breaker_closed", server=self._name)

    def _failed(self, error: Exception) -> None:
        was_open = self._breaker.is_open
        cause = f"{type(error).__name__}: {error}".removesuffix(": ")[:200]
        silent = isinstance(error, self._silence)
        self._breaker.failed(mono_ns(), cause, random.uniform(JITTER, 1.0), silent=silent)
        if self._breaker.is_open and not was_open:
            _log.warning("breaker_opened", server=self._name, cause=cause)
