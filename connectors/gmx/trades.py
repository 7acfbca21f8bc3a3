"""Position events -> public trades. Pure.

GMX has no tape: what changes the size of a position is the trade, at the price it was executed at.
Source: gmx-synthetics ``contracts/position/PositionEventUtils.sol``, release v2.2c.
"""

from typing import Final

from connectors.gmx.eventlog import GmxEvent, Log
from connectors.gmx.state import Listing
from domain.errors import InputError
from domain.events import Trade
from domain.units import format_decimal

_TIME_KEYS: Final = {"PositionIncrease": "increasedAtTime", "PositionDecrease": "decreasedAtTime"}
NAMES: Final = frozenset(_TIME_KEYS)


def pool_of(event: GmxEvent) -> str:
    """The market token in lower case. Raises InputError ``BAD_EVENT``."""
    pool = event.values.get("market")
    if not isinstance(pool, str):
        raise InputError("BAD_EVENT", f"{event.name} without its market")
    return pool


def trade(log: Log, event: GmxEvent, listing: Listing) -> Trade | None:
    """None for a change of collateral alone. ``executionPrice`` is USD x 10^(30 - decimals) of a
    whole token. Raises InputError ``BAD_EVENT``."""
    size = _amount(event, "sizeDeltaInTokens")
    price = _amount(event, "executionPrice")
    seconds = _amount(event, _TIME_KEYS[event.name])
    is_long = event.values.get("isLong")
    if not isinstance(is_long, bool):
        raise InputError("BAD_EVENT", f"{event.name} without its side")
    if size == 0:
        return None
    if price == 0:
        raise InputError("BAD_EVENT", "a trade for nothing")
    buys = is_long == (event.name == "PositionIncrease")
    return Trade(
        listing.market,
        f"{log.transaction}:{log.index}",
        format_decimal(price, 30 - listing.decimals),
        format_decimal(size, listing.decimals),
        "BUY" if buys else "SELL",
        seconds * 1_000_000,
    )


def _amount(event: GmxEvent, key: str) -> int:
    value = event.values.get(key)
    if type(value) is not int or value < 0:
        raise InputError("BAD_EVENT", f"{event.name} without {key}")
    return value
