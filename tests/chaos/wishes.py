"""What somebody who trades wants next, from a seed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

PLACES: Final = (("gmx", 42161), ("gains", 42161), ("gains", 137))
LATER: Final = ("cancel_resting", "cancel_resting", "amend")
"""What becomes of an order that rests, but for those that stay."""


@dataclass(slots=True)
class Held:
    """A long. ``position_id``: of Gains, which has one for each opening; GMX adds all to one."""

    venue: str
    chain: int
    position_id: str | None
    size: Decimal


@dataclass(frozen=True, slots=True)
class Wish:
    """``fate``: what its owner does: signs it, does not, cancels it early or when it rests, or
    changes it first. ``price_times``: of what waits for a price, times the price of now."""

    venue: str
    chain: int
    body: dict[str, Any]
    fate: str = "sign"
    held: Held | None = None
    price_times: str | None = None


def wish(rng: Random, held: Sequence[Held]) -> Wish:
    if held and rng.random() < 0.6:
        return _change(rng, rng.choice(held))
    venue, chain = rng.choice(PLACES)
    limit = rng.random() < 0.3
    fate = rng.choice(LATER) if limit and rng.random() < 0.7 else "sign"
    if rng.random() < 0.1:
        fate = rng.choice(("withdraw", "ignore"))
    body = {
        "side": "BUY",
        "intent": "open",
        "type": "limit" if limit else "market",
        "notional_usd": str(rng.randrange(1_000, 3_000)),
        "leverage": "5",
    }
    return Wish(venue, chain, body, fate, None, "0.8" if limit else None)


def _change(rng: Random, held: Held) -> Wish:
    """More of it, less, nothing, or an exit that waits: at GMX that is an order by itself."""
    fate = "sign"
    kinds = ["close", "close", "decrease", "increase"]
    kind = rng.choice([*kinds, "take_profit", "stop"] if held.venue == "gmx" else kinds)
    body = {"side": "SELL", "intent": "close", "type": "market"}
    if kind == "increase":
        size = {"notional_usd": str(rng.randrange(1_000, 2_000)), "leverage": "5"}
        body = {"side": "BUY", "intent": "increase", "type": "market"} | size
    elif kind == "decrease":
        half = (held.size / 2).quantize(Decimal("0.0001"))
        body |= {"intent": "decrease", "size_base": str(half)}
    elif kind != "close":
        body["type"], fate = kind, "cancel_resting"
    if held.position_id is not None:
        body["position_id"] = held.position_id
    times = {"take_profit": "1.3", "stop": "0.8"}.get(kind)
    return Wish(held.venue, held.chain, body, fate, held, times)
