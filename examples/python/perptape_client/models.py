"""What the client gives back. Prices are decimals, never floats."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Quote:
    """Of one market. A side is None when no venue backs it now; ``excluded`` says why."""

    market: str
    seq: int
    bid: Decimal | None
    bid_venue: str | None
    ask: Decimal | None
    ask_venue: str | None
    excluded: dict[str, str]

    @classmethod
    def of(cls, envelope: dict[str, Any]) -> "Quote":
        """Of a ``price`` envelope."""
        data = envelope["data"]
        return cls(
            envelope["room"].partition(":")[2],
            envelope["seq"],
            _decimal(data["bid"]),
            data["bid_venue"],
            _decimal(data["ask"]),
            data["ask_venue"],
            {item["venue"]: item["reason"] for item in data["quality"]["excluded"]},
        )


@dataclass(frozen=True)
class Grant:
    """Who is signed in. Tokens are shown to nobody."""

    account_id: str
    address: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class Problem(Exception):
    """An answer that is none (RFC 9457). ``retryable``: asking again may help."""

    def __init__(self, status: int, code: str, detail: str, *, retryable: bool) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.retryable = retryable


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
