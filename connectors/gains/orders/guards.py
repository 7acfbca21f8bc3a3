"""The price that a fill may not pass, as the contract counts it.

A fill is refused when it is worse than the expected price by more than a slippage of whole 1e-3
percent of it, cut off: exactly that much is taken. So a bound at an arbitrary price is met by
choosing the slippage, or, where that is given, the expected price. What comes out here is never
worse than the bound, and at most one step short of it.
Units: prices e10, slippage e3 percent. ``up_is_worse``: for a long that opens and a short that
closes. Source: TradingCallbacksUtils, v10.2; ``closing.slipped`` is the same rule looking back.
"""

from dataclasses import dataclass
from typing import Final

from connectors.gains.constants import PRICE_MAX_E10
from connectors.gains.economics.scales import SLIPPAGE_WHOLE
from domain.errors import InputError

MAX_SLIPPAGE_E3: Final = 2**16 - 1
"""What the request has room for: 65.535 %."""


@dataclass(frozen=True, slots=True)
class Guard:
    """``worst_e10``: the worst price that the contract fills at, equality included."""

    expected_e10: int
    max_slippage_e3: int
    worst_e10: int


def worst_e10(expected_e10: int, slippage_e3: int, *, up_is_worse: bool) -> int:
    """The worst price that is still filled."""
    most = expected_e10 * slippage_e3 // SLIPPAGE_WHOLE
    return expected_e10 + most if up_is_worse else expected_e10 - most


def guard(
    expected_e10: int, slippage_e3: int, limit_e10: int | None = None, *, up_is_worse: bool
) -> Guard:
    """A guard around an expected price: as wide as the slippage, and no wider than the limit.

    Where even the smallest slippage, which the contract asks for, would pass the limit, or the
    expected price itself does, that gives way.
    Raises InputError ``BAD_PRICE`` or ``BAD_SLIPPAGE`` for what the request cannot hold.
    """
    _check_price(expected_e10)
    _check_slippage(slippage_e3)
    if limit_e10 is None:
        return _made(expected_e10, slippage_e3, up_is_worse=up_is_worse)
    _check_price(limit_e10)
    room = limit_e10 - expected_e10 if up_is_worse else expected_e10 - limit_e10
    # The largest slippage whose cut-off share of the expected price fits into the room.
    fitting = ((room + 1) * SLIPPAGE_WHOLE - 1) // expected_e10
    if room < 0 or not fitting:
        return anchored(limit_e10, 1, up_is_worse=up_is_worse)
    return _made(expected_e10, min(slippage_e3, fitting), up_is_worse=up_is_worse)


def anchored(limit_e10: int, slippage_e3: int, *, up_is_worse: bool) -> Guard:
    """A guard at a limit, with a slippage that is given: what moves is the expected price.

    Raises InputError ``BAD_SLIPPAGE`` or ``BAD_PRICE``.
    """
    _check_price(limit_e10)
    _check_slippage(slippage_e3)
    if up_is_worse:
        # The largest price that with its share, cut off, is at most the limit.
        whole = SLIPPAGE_WHOLE + slippage_e3
        expected_e10 = ((limit_e10 + 1) * SLIPPAGE_WHOLE - 1) // whole
    else:
        # The smallest price that without its share, cut off, is at least the limit: what is left
        # of it is its rest of the whole, rounded up.
        rest = SLIPPAGE_WHOLE - slippage_e3
        expected_e10 = (limit_e10 - 1) * SLIPPAGE_WHOLE // rest + 1
    _check_price(expected_e10)
    return _made(expected_e10, slippage_e3, up_is_worse=up_is_worse)


def _made(expected_e10: int, slippage_e3: int, *, up_is_worse: bool) -> Guard:
    worst = worst_e10(expected_e10, slippage_e3, up_is_worse=up_is_worse)
    return Guard(expected_e10, slippage_e3, worst)


def _check_price(price_e10: int) -> None:
    if not 0 < price_e10 <= PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price the contract holds: {price_e10} e10")


def _check_slippage(slippage_e3: int) -> None:
    if not 0 < slippage_e3 <= MAX_SLIPPAGE_E3:
        raise InputError("BAD_SLIPPAGE", f"{slippage_e3} is no slippage of 1e-3 percent")
