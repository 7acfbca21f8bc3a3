"""What a trade costs on a book: exactly at one size, and in float64 on many books at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np

from connectors.base.economics import Economics, LadderArrays
from connectors.dydx.economics.fees import fee_bps
from connectors.dydx.economics.quote import TAKER_PPM, Scale, price_trade
from domain.costs import Floats, OrderSide, PoolCost
from domain.errors import InputError
from domain.units import BPS, E18

MAX_SAFE: Final = 2**53 - 1
_MAX_RESOLUTION: Final = 40
BELOW_STEP: Final = np.array("BELOW_STEP", dtype=object)
DEPTH: Final = np.array("DEPTH", dtype=object)

Side = tuple[tuple[int, int], ...]


class Margin(NamedTuple):
    """What a position must have; see ``terms.MarketTerms``."""

    atomic_resolution: int
    initial_ppm: int
    maintenance_fraction_ppm: int


class _Walk(NamedTuple):
    """A side of a book, level by level. ``ends``: worth of all levels to the end of this one, in
    ticks x steps; ``filled``, ``lost``: steps before it, and what they lose against the first."""

    ends: Floats
    ticks: Floats
    off: Floats
    filled: Floats
    lost: Floats


class _Terms(NamedTuple):
    """Of a book. ``unit``: USD of a tick x step. ``asks`` and ``bids``: worth of all levels."""

    tick: Floats
    unit: Floats
    fee_bps: Floats
    ask: Floats
    bid: Floats
    asks: Floats
    bids: Floats


@dataclass(frozen=True, slots=True)
class BookInputs:
    """A book as far as it is known: levels of the uncrossed view, best first, and the taker's
    fee. ``margin``: None where it is unknown."""

    scale: Scale
    bids: Side
    asks: Side
    taker_ppm: int = TAKER_PPM
    margin: Margin | None = None
    # Made where ladders are, which is not where books change.
    _made: list["_Floats"] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def floats(self) -> "_Floats":
        if not self._made:
            self._made.append(_floats(self))
        return self._made[0]


class _Floats(NamedTuple):
    """``walks``: the fields of ``_Walk``, shape (5, 2, levels), asks then bids, the shorter side
    filled up with zeros. ``terms``: the fields of ``_Terms``."""

    walks: Floats
    terms: tuple[float, ...]


def _floats(inputs: BookInputs) -> _Floats:
    counts = len(inputs.asks), len(inputs.bids)
    walks = np.zeros((len(_Walk._fields), 2, max(*counts, 1)))
    worth, first = [0.0, 0.0], [0.0, 0.0]
    for side, levels in enumerate((inputs.asks, inputs.bids)):
        if levels:
            _walk(levels, walks[:, side, : counts[side]])
            worth[side], first[side] = walks[0, side, counts[side] - 1], walks[1, side, 0]
    tick, step = inputs.scale
    terms = tick / E18, tick / E18 * (step / E18), float(fee_bps(inputs.taker_ppm))
    return _Floats(walks, (*terms, *first, *worth))


def _walk(levels: Side, found: Floats) -> None:
    """Into ``found``, the fields of ``_Walk``. Made for every book that changed."""
    ends, ticks, off, filled, lost = found
    flat = np.fromiter(chain.from_iterable(levels), np.float64, 2 * len(levels))
    ticks[:], steps = flat[::2], flat[1::2]
    np.abs(np.subtract(ticks, ticks[0], out=off), out=off)
    np.multiply(ticks, steps, out=ends).cumsum(out=ends)
    np.subtract(steps.cumsum(out=filled), steps, out=filled)
    losses = off * steps
    np.subtract(losses.cumsum(out=lost), losses, out=lost)


class DydxEconomics:
    """See ``connectors.base.economics.Economics``."""

    def encode(self, inputs: BookInputs) -> dict[str, Any]:
        """Levels are one flat list a side: ticks, steps, ticks, steps."""
        return {
            "tick_e18": str(inputs.scale.tick_e18),
            "step_e18": str(inputs.scale.step_e18),
            "taker_ppm": inputs.taker_ppm,
            "margin": None if inputs.margin is None else list(inputs.margin),
            "bids": _flat(inputs.bids),
            "asks": _flat(inputs.asks),
        }

    def decode(self, row: Any) -> BookInputs:
        try:
            inputs = BookInputs(
                Scale(_positive(row["tick_e18"]), _positive(row["step_e18"])),
                _levels(row["bids"]),
                _levels(row["asks"]),
                row["taker_ppm"],
                _margin(row["margin"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("BAD_DEPTH", f"no book: {error!r:.200}") from None
        bids, asks = ([ticks for ticks, _ in side] for side in (inputs.bids, inputs.asks))
        if bids != sorted(set(bids), reverse=True) or asks != sorted(set(asks)):
            raise InputError("BAD_DEPTH", "levels are not in order")
        if bids and asks and bids[0] >= asks[0]:
            raise InputError("BAD_DEPTH", "a crossed book")
        if type(inputs.taker_ppm) is not int:
            raise InputError("BAD_DEPTH", "a fee is a whole number of ppm")
        return inputs

    def price(
        self, pool: str | None, inputs: BookInputs, side: OrderSide, notional_usd: Decimal
    ) -> PoolCost:
        del pool
        return price_trade(
            inputs.scale, side, notional_usd, inputs.bids, inputs.asks, inputs.taker_ppm
        )

    def ladder(self, inputs: Sequence[BookInputs], notional_usd: Floats) -> LadderArrays:
        books = [item.floats for item in inputs]
        longest = max((walk.shape[2] for walk, _ in books), default=1)
        walks = np.zeros((len(_Walk._fields), 2, len(books), longest))
        for place, (walk, _) in enumerate(books):
            walks[:, :, place, : walk.shape[2]] = walk
        terms = np.array([terms for _, terms in books]).reshape(-1, len(_Terms._fields))
        return _ladder(_Walk(*walks), _Terms(*terms.T[:, :, None]), notional_usd)


ECONOMICS: Final[Economics] = DydxEconomics()


def _ladder(walk: _Walk, terms: _Terms, notional_usd: Floats) -> LadderArrays:
    """Shape: arrays of ``walk`` (2, books, levels), of ``terms`` (books, 1)."""
    wanted = notional_usd / terms.unit
    books, levels = walk.ends.shape[1:]
    # The level in which each walk ends, as a place in any of the arrays.
    place = (walk.ends[:, :, None] >= wanted[:, :, None]).argmax(axis=3)
    place += (np.arange(2 * books) * levels).reshape(2, books, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ticks = walk.ticks.take(place)
        # What is taken of that level: all but what the levels before it are worth.
        filled, lost = walk.filled.take(place), walk.lost.take(place)
        before = walk.ends.take(place - 1) * (place % levels > 0)
        part = (wanted - before) / ticks
        filled += part
        lost += part * walk.off.take(place)
        middle = (terms.ask + terms.bid) / 2
        spread_bps = (terms.ask - terms.bid) / 2 / middle * BPS
        reached = (wanted <= np.stack((terms.asks, terms.bids))) & (wanted > 0)
        book = (terms.ask > 0) & (terms.bid > 0)
        known = reached & book & (filled >= 1)
        filled[~known] = np.nan
        price = wanted / filled * terms.tick
        impact_bps = lost / filled / middle * BPS
    reason = None
    if not known.all():
        reason = np.where(reached, BELOW_STEP, DEPTH)
        reason[np.broadcast_to(~book, known.shape)] = "NO_BOOK"
        reason[known] = None
    return LadderArrays(
        price,
        np.where(known, terms.fee_bps, np.nan),
        np.where(known, spread_bps, np.nan),
        impact_bps,
        reason,
    )


def _flat(levels: Side) -> list[int | str]:
    return [value if value <= MAX_SAFE else str(value) for value in chain.from_iterable(levels)]


def _levels(row: Any) -> Side:
    if not isinstance(row, list) or len(row) % 2:
        raise ValueError("levels are pairs")
    values = [_positive(value) for value in row]
    return tuple(zip(values[::2], values[1::2], strict=True))


def _margin(values: Any) -> Margin | None:
    if values is None:
        return None
    margin = Margin(*values)
    if set(map(type, margin)) != {int} or abs(margin.atomic_resolution) > _MAX_RESOLUTION:
        raise ValueError(f"no margin: {values!r:.60}")
    return margin


def _positive(value: Any) -> int:
    """An integer, or a string of digits."""
    if type(value) is str and value.isdecimal() and value.isascii() and len(value) < 80:
        value = int(value)
    if type(value) is not int or value <= 0:
        raise ValueError(f"no positive integer: {value!r:.60}")
    return value
