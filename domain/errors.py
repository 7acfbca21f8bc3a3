"""Error taxonomy. ``recovery`` tells the caller what may be done about it; nothing else does."""

from typing import ClassVar, Literal

Recovery = Literal["never", "backoff", "resync", "reconcile", "crash"]


class PerpError(Exception):
    """Base of every error this program raises on purpose.

    ``code`` is stable and machine readable; the message is for people.
    """

    recovery: ClassVar[Recovery] = "never"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        """Pickling would otherwise build it from ``args``, which lacks the code."""
        return type(self), (self.code, self.message), self.__dict__

    @property
    def message(self) -> str:
        return str(self.args[0])


class InputError(PerpError):
    """The caller sent something that can never succeed as it stands."""


class StaleQuote(PerpError):
    """The price asked for is gone or older than its limit."""


class VenueUnavailable(PerpError):
    """The venue could not be reached or refused for a while."""

    recovery: ClassVar[Recovery] = "backoff"

    def __init__(self, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s


class VenueProtocolError(PerpError):
    """The venue sent what its protocol does not allow; only fresh state can be trusted."""

    recovery: ClassVar[Recovery] = "resync"


class ChainTransient(PerpError):
    """No node of a chain said anything that can be relied on; the same may work in a moment."""

    recovery: ClassVar[Recovery] = "backoff"


class ChainRejected(PerpError):
    """A node refused what it was asked for, with a reason. ``data``: of a call that reverted."""

    def __init__(self, code: str, message: str, data: bytes = b"") -> None:
        super().__init__(code, message)
        self.data = data


class InvariantViolation(PerpError):
    """A bug of ours: the task that meets it must not go on."""

    recovery: ClassVar[Recovery] = "crash"
