"""What a pool is priced with, and how ``depth:*`` carries it."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any, Final

from connectors.base.economics import Durable
from connectors.gains.constants import PRICE_MAX_E10
from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.depth import Side, decode_side, encode_side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.impact import PairFactors, PairState
from connectors.gains.economics.ladder import pool_row
from connectors.gains.economics.limits import Exposure
from connectors.gains.economics.position import LiquidationTerms
from connectors.gains.economics.scales import Collateral
from domain.costs import Floats

_MAX_DIGITS: Final = 78


@dataclass(frozen=True)
class PoolState(Durable):
    """One pair in one collateral on one chain: everything but the price of the pair.

    What is made of it is kept, because most of the time only the price changes. ``liquidation``:
    None where it is unknown.
    """

    collateral: Collateral
    pair: PairState
    fees: FeeTerms
    exposure: Exposure
    min_leverage_e3: int
    liquidation: LiquidationTerms | None = None

    @cached_property
    def row(self) -> Floats:
        """What ladders read of it."""
        return pool_row(self.collateral, self.pair, self.fees, self.exposure, self.min_leverage_e3)

    @cached_property
    def encoded(self) -> Mapping[str, Any]:
        """JSON. Depth bands are packed as the contract has them; a trader's own terms are left
        out."""
        return _encoded(self)


@dataclass(frozen=True, slots=True)
class Pool:
    """``mark_e10``: the price trades execute at, before impact; positive."""

    mark_e10: int
    state: PoolState


def _encoded(state: PoolState) -> Mapping[str, Any]:
    pair, fees, exposure = state.pair, state.fees, state.exposure
    return {
        "collateral": [state.collateral.decimals, str(state.collateral.price_usd_e8)],
        "spread": str(pair.spread_p),
        "above": _texts(encode_side(pair.above)),
        "below": _texts(encode_side(pair.below)),
        "offsets": _texts(encode_side(Side(0, pair.offsets_ppm))),
        "volumes": _texts((pair.volume_long_usd_e18, pair.volume_short_usd_e18)),
        "tokens": _texts((pair.long_token_e18, pair.short_token_e18)),
        "skew_depth": str(pair.skew_depth_e18),
        "cumulative": str(pair.factors.cumulative_e10),
        "exempt": pair.factors.exempt_on_open,
        "fees": _texts((fees.rate_p, fees.liquidation_rate_p, fees.min_size_usd_e3)),
        "oi": _interest(exposure.before_v10),
        "group_oi": _interest(exposure.group),
        "max_skew": str(exposure.max_skew_e10),
        "min_leverage": str(state.min_leverage_e3),
        "liquidation": None if state.liquidation is None else _texts(astuple(state.liquidation)),
    }


def decoded(mark: Any, row: Any) -> Pool:
    """The inverse of ``PoolState.encoded``, at a price.

    Raises LookupError, TypeError or ValueError for what that does not write.
    """
    decimals, price = row["collateral"]
    exempt = row["exempt"]
    if type(decimals) is not int or not 0 <= decimals <= 18 or type(exempt) is not bool:
        raise ValueError("neither decimals nor a flag")
    volumes, tokens = _counts(row["volumes"], 2), _counts(row["tokens"], 2)
    rate, liquidation, min_size = _counts(row["fees"], 3)
    state = PoolState(
        Collateral(decimals, _positive(price)),
        PairState(
            spread_p=_count(row["spread"]),
            above=decode_side(*_counts(row["above"], 2)),
            below=decode_side(*_counts(row["below"], 2)),
            offsets_ppm=decode_side(*_counts(row["offsets"], 2)).bands,
            volume_long_usd_e18=volumes[0],
            volume_short_usd_e18=volumes[1],
            long_token_e18=tokens[0],
            short_token_e18=tokens[1],
            skew_depth_e18=_count(row["skew_depth"]),
            factors=PairFactors(_count(row["cumulative"]), exempt_on_open=exempt),
        ),
        FeeTerms(rate, liquidation, min_size),
        Exposure(
            OpenInterest(*_counts(row["oi"], 3)),
            OpenInterest(*_counts(row["group_oi"], 3)),
            _count(row["max_skew"]),
        ),
        _count(row["min_leverage"]),
        _liquidation(row["liquidation"]),
    )
    mark_e10 = _positive(mark)
    if mark_e10 > PRICE_MAX_E10:
        raise ValueError("a price beyond the contract's")
    return Pool(mark_e10, state)


def _liquidation(values: Any) -> LiquidationTerms | None:
    return None if values is None else LiquidationTerms(*_counts(values, 5))


def _interest(oi: OpenInterest) -> list[str]:
    return _texts((oi.long_e10, oi.short_e10, oi.max_e10))


def _texts(values: Sequence[int]) -> list[str]:
    return [str(value) for value in values]


def _counts(values: Any, length: int) -> list[int]:
    if type(values) is not list or len(values) != length:
        raise ValueError(f"not {length} counts")
    return [_count(value) for value in values]


def _count(value: Any) -> int:
    if type(value) is not str or not value.isdigit() or not value.isascii():
        raise ValueError(f"not a count: {value!r:.80}")
    if len(value) > _MAX_DIGITS:
        raise ValueError("a number of too many digits")
    return int(value)


def _positive(value: Any) -> int:
    count = _count(value)
    if not count:
        raise ValueError("not positive")
    return count
