"""What every session keeps, whatever it speaks. See ``connectors.base.protocol.Session``."""

from connectors.base.protocol import Failure
from domain.events import Event
from domain.ids import MarketId


class BaseSession:
    """What waits to be drained, and how it went so far."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._outgoing: list[str] = []
        self._failure: Failure | None = None
        self._healthy = False

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def healthy(self) -> bool:
        return self._healthy

    def events(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def outgoing(self) -> list[str]:
        drained, self._outgoing = self._outgoing, []
        return drained

    def resync(self, market: MarketId, mono_ns: int) -> None:
        """As a rule what comes is whole in itself, and nothing could be out of step."""
