"""What the GMX API says of a market that the keeper does not: leverage, the smallest position and
the least that is posted. Pure; prices do not depend on it.

Source: gmx-io/gmx-interface SDK, ``/v1/markets``: big integers are strings, USD has 30 decimals.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from connectors.gmx.parse import MALFORMED
from domain.errors import InputError
from domain.units import format_decimal, minimal_decimal

_USD_DECIMALS: Final = 30
_NUMBER: Final = re.compile(r"[0-9]{1,60}")
# In which unit leverage comes is not documented; a larger one is in another than the plain factor.
_MAX_LEVERAGE: Final = 1_000


class Limits(NamedTuple):
    """Decimal strings; None where unknown."""

    max_leverage: str | None
    min_notional_usd: str | None
    min_collateral_usd: str | None = None


UNKNOWN: Final = Limits(None, None)


def market_limits(body: object) -> dict[str, Limits]:
    """By market token in lower case, without rows that make no sense. Raises InputError where no
    row makes any."""
    found: dict[str, Limits] = {}
    for row in body if isinstance(body, list) else ():
        try:
            tiers = [_leverage(tier["maxLeverage"]) for tier in row["leverageTiers"]]
            smallest = format_decimal(_integer(row["minPositionSizeUsd"]), _USD_DECIMALS)
            least = row.get("minCollateralUsd")
            posted = None if least is None else format_decimal(_integer(least), _USD_DECIMALS)
            found[row["marketTokenAddress"].lower()] = Limits(_largest(tiers), smallest, posted)
        except MALFORMED:
            continue
    if not found:
        raise InputError("BAD_LIMITS", "no readable market")
    return found


def of_pools(limits: Mapping[str, Limits], pools: Iterable[str]) -> Limits:
    """Of a market: what its most generous pool allows."""
    known = [limits.get(pool.lower(), UNKNOWN) for pool in pools]
    smallest = [each.min_notional_usd for each in known if each.min_notional_usd is not None]
    posted = [each.min_collateral_usd for each in known]
    return Limits(
        _largest([each.max_leverage for each in known]),
        min(smallest, key=Decimal, default=None),
        _largest(posted),
    )


def _largest(values: Iterable[str | None]) -> str | None:
    return max((each for each in values if each is not None), key=Decimal, default=None)


def _leverage(text: Any) -> str | None:
    leverage = minimal_decimal(text)
    return leverage if 1 <= Decimal(leverage) <= _MAX_LEVERAGE else None


def _integer(text: object) -> int:
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise InputError("BAD_NUMBER", f"not a whole number: {text!r:.60}")
    return int(text)
