"""Ladders of what was collected of some markets: what sizes cost at their pools, which pool is
best, the best splits, and the depth that they were made of. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from aggregator.depth import Known
from aggregator.ladder_rows import rows_of
from connectors.base.economics import Economics
from connectors.base.ladders import OpenPool, cells_of
from domain.ids import MarketId, VenueId
from domain.ladder import SIDES, SIZES_USD, SplitRow, ladder_data, points_of, rank, splits_of
from domain.units import format_e18

_SIZES: Final = [str(size) for size in SIZES_USD]
_POINTS: Final = points_of(SIZES_USD)
_NO_SPLITS: Final[Sequence[SplitRow]] = [None] * len(SIZES_USD)


class Ladder(NamedTuple):
    """``data`` of the ``ladder`` envelope, and what the ``depth`` key says beside its stamp, as
    JSON."""

    market: MarketId
    data: bytes
    depth: bytes


def ladders(
    economics: Mapping[VenueId, Economics],
    found: Mapping[MarketId, Known],
    service_fee_bps: Decimal = Decimal(0),
) -> list[Ladder]:
    """Of some markets. ``service_fee_bps``: of whoever runs this."""
    made = price(economics, found, service_fee_bps)
    return [Ladder(market, made[market], _depth(economics, found[market])) for market in found]


def price(
    economics: Mapping[VenueId, Economics],
    found: Mapping[MarketId, Known],
    service_fee_bps: Decimal = Decimal(0),
) -> dict[MarketId, bytes]:
    """``data`` of their envelopes, all in one pass: what numpy takes for a call is the same for one
    market and for forty."""
    open_ = {market: known for market, known in found.items() if known.pools}
    made = _priced(economics, open_, service_fee_bps) if open_ else {}
    for market, known in found.items():
        if not known.pools:
            made[market] = _data(known, ([], []), (_NO_SPLITS, _NO_SPLITS), service_fee_bps)
    return made


def _priced(
    economics: Mapping[VenueId, Economics],
    found: Mapping[MarketId, Known],
    service_fee_bps: Decimal,
) -> dict[MarketId, bytes]:
    places = [[pool.place for pool in known.pools] for known in found.values()]
    pools = [pool for known in found.values() for pool in known.pools]
    reference = np.array([known.reference or np.nan for known in found.values()])
    cells = cells_of(economics, pools, _POINTS)
    rows = rows_of(rank(cells, _POINTS, places), places)
    splits = splits_of(cells, _POINTS, places, reference)
    return {
        market: _data(known, (buys, sells), (bought, sold), service_fee_bps)
        for (market, known), buys, sells, bought, sold in zip(
            found.items(), *rows, *splits, strict=True
        )
    }


def _data(
    known: Known,
    rows: tuple[Any, Any],
    splits: tuple[Sequence[SplitRow], Sequence[SplitRow]],
    service_fee_bps: Decimal,
) -> bytes:
    mid = _mid_text(known)
    return orjson.dumps(ladder_data(_SIZES, rows, splits, mid, known.excluded, service_fee_bps))


def _depth(economics: Mapping[VenueId, Economics], known: Known) -> bytes:
    pools = [_row(economics, pool) for pool in known.pools]
    return orjson.dumps({"mid": _mid_text(known), "pools": pools, "excluded": known.excluded})


def _row(economics: Mapping[VenueId, Economics], pool: OpenPool) -> dict[str, Any]:
    place = pool.place
    return {
        "venue": place.venue,
        "pool": place.pool,
        "decimals": place.decimals,
        "gas_usd": _text(place.gas_usd),
        "execution_fee_usd": _text(place.execution_fee_usd),
        "sides": [side for side, open_ in zip(SIDES, pool.sides, strict=True) if open_],
        "inputs": economics[place.venue].encode(pool.inputs),
    }


def _mid_text(known: Known) -> str | None:
    return None if known.mid_e18 is None else format_e18(known.mid_e18)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
