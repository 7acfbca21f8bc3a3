"""Between a model venue and the client: sockets and answers, with the faults of a wire."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from connectors.base.protocol import Failure, Frame, HttpReply
from tests.simulation.loop import STEP_NS, S
from tests.simulation.venue import Faults

ANSWERS_KEPT = 5


@dataclass(slots=True)
class Letter:
    """``told``: what a perfect subscriber knows with it. ``late``: it was held back."""

    body: Frame | Failure
    told: Any = None
    due_ns: int = 0


class Socket:
    """One connection. What is ``put`` arrives in order at once, but for the faults.

    ``tell`` is called with what arrives; ``hold`` with what will arrive so much later.
    """

    waiting = False

    def __init__(
        self,
        faults: Faults,
        rng: Random,
        tell: Callable[[Any, int, int], None],
        hold: Callable[[Any, int], None],
    ) -> None:
        self._faults = faults
        self._rng = rng
        self._tell = tell
        self._hold = hold
        self._wire: list[Letter] = []
        self._held: list[Letter] = []

    def put(self, body: bytes, told: Any, now_ns: int) -> None:
        letter, rng = Letter(body, told), self._rng
        if self._faults.on("reorder", now_ns) and rng.random() < 0.2:
            letter.due_ns = now_ns + rng.randint(1, 25) * STEP_NS
            self._hold(told, max(letter.due_ns, self._faults.until_ns.get("freeze", 0)))
            self._held.append(letter)
            return
        self._wire.append(letter)
        if self._faults.on("duplicate", now_ns):
            # Now or late, when it would undo what came between.
            self._held.append(Letter(body, told, now_ns + rng.randint(0, 25) * STEP_NS))

    def arriving(self, now_ns: int) -> list[Letter]:
        if self._faults.on("freeze", now_ns):
            return []
        letters, self._wire = self._wire, []
        if self._held:
            letters += [letter for letter in self._held if letter.due_ns <= now_ns]
            self._held = [letter for letter in self._held if letter.due_ns > now_ns]
        return letters

    def delivered(self, letter: Letter, wall_us: int, now_ns: int) -> None:
        self._tell(letter.told, wall_us, now_ns)

    def request(self, text: str) -> None:
        raise AssertionError(f"nothing is asked of this socket: {text}")


class Poll:
    """One path of a REST service. ``answer`` makes (body, told); where ``lags``, hosts may give one
    that they gave before. It outlives what the driver calls a connection."""

    def __init__(
        self,
        path: str,
        faults: Faults,
        rng: Random,
        timeout_s: float,
        answer: Callable[[], tuple[bytes, Any]],
        tell: Callable[[Any, int, int], None],
        *,
        lags: bool = False,
    ) -> None:
        self._lags = lags
        self._path = path
        self._faults = faults
        self._rng = rng
        self._timeout_ns = int(timeout_s * S)
        self._answer = answer
        self._tell = tell
        self._given: deque[tuple[bytes, Any]] = deque(maxlen=ANSWERS_KEPT)
        self._asked = False
        self._asked_ns: int | None = None
        self._delay_ns = 0

    @property
    def waiting(self) -> bool:
        return self._asked

    def connect(self, now_ns: int) -> "Poll":
        self._asked, self._asked_ns = False, None
        return self

    def request(self, text: str) -> None:
        assert text == self._path
        self._asked, self._asked_ns = True, None
        self._delay_ns = self._rng.randint(1, 3) * STEP_NS

    def arriving(self, now_ns: int) -> list[Letter]:
        if not self._asked:
            return []
        if self._asked_ns is None:
            self._asked_ns = now_ns - STEP_NS
        waited_ns = now_ns - self._asked_ns
        if self._faults.on("freeze", now_ns):
            if waited_ns < self._timeout_ns:
                return []
            self._asked = False
            return [Letter(Failure("TIMEOUT", self._path))]
        if waited_ns < self._delay_ns:
            return []
        self._asked = False
        if self._faults.on("drop", now_ns):
            return [Letter(Failure("UNREACHABLE", self._path))]
        body, told = self._choose(now_ns)
        return [Letter(HttpReply(self._path, body), told)]

    def _choose(self, now_ns: int) -> tuple[bytes, Any]:
        given, rng = self._given, self._rng
        if given and self._lags:
            if self._faults.on("reorder", now_ns) and rng.random() < 0.3:
                return rng.choice(given)
            if self._faults.on("duplicate", now_ns) and rng.random() < 0.5:
                return given[-1]
        given.append(self._answer())
        return given[-1]

    def delivered(self, letter: Letter, wall_us: int, now_ns: int) -> None:
        self._tell(letter.told, wall_us, now_ns)
