"""Gains wire values -> values of this package. Pure.

Every function raises InputError, KeyError, TypeError or ValueError on what the protocol does not
allow. Where only one pair or collateral is unreadable, that one is left out: it then has no pool.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import orjson

from connectors.base.markets import AssetClass
from connectors.gains.constants import FULL_BPS, PRICE_DECIMALS, PRICE_MAX_E10
from connectors.gains.economics.depth import Side, decode_side
from connectors.gains.economics.windows import Windows
from connectors.gains.messages import (
    WireCharts,
    WireCollateral,
    WireDepthBands,
    WireGroup,
    WirePair,
    WirePairFactors,
    WirePairInfos,
    WirePairOi,
    WireVariables,
    WireWindow,
    WireWindowUpdate,
)
from connectors.gains.model import (
    Collateral,
    Frame,
    OiUpdate,
    Pair,
    PairOi,
    Print,
    Reorg,
    Update,
    Variables,
    Volume,
    VolumeUpdate,
)
from domain.errors import InputError
from domain.units import power10

MALFORMED: Final = (InputError, LookupError, TypeError, ValueError, AttributeError)

_T = TypeVar("_T")
_INTEGERS: Final = {int}
_SYMBOL: Final = re.compile(r"[A-Za-z0-9._]{1,20}")
_MAX_DIGITS: Final = 78
_POWERS: Final = tuple(power10(places) for places in range(PRICE_DECIMALS + 1))
_NO_DEPTH: Final = Side(0, (FULL_BPS,) * 30)
_NO_OFFSETS: Final = (0,) * 30

# Numbers ---------------------------------------------------------------------------------------


def count(value: Any) -> int:
    """A non-negative integer, as a decimal string or a JSON number. Raises InputError."""
    if type(value) is int and value >= 0:
        return value
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _MAX_DIGITS:
        return int(value)
    raise InputError("BAD_COUNT", f"not a count: {value!r:.80}")


def flag(value: Any) -> bool:
    if type(value) is not bool:
        raise InputError("BAD_FLAG", f"not a boolean: {value!r:.80}")
    return value


def price_e10(value: Any) -> int:
    """A JSON number as an integer of 1e-10, cut off there.

    The shortest decimal that means the parsed double is what was sent, up to 15 digits.
    Raises InputError ``BAD_PRICE`` unless positive and within what the contracts can hold.
    """
    if (type(value) is not float and type(value) is not int) or not 0 < value < PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price: {value!r:.80}")
    text = repr(value)
    whole, _, fraction = text.partition(".")
    places = len(fraction)
    if places <= PRICE_DECIMALS and "e" not in text:
        price = int(whole + fraction) * _POWERS[PRICE_DECIMALS - places]
    else:
        price = _cut_off(text)
    if not 0 < price <= PRICE_MAX_E10:
        raise InputError("BAD_PRICE", f"not a price: {value!r:.80}")
    return price


def _cut_off(text: str) -> int:
    """A price that is written with an exponent or with more digits than are kept."""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(exponent or "0") - len(fraction) + PRICE_DECIMALS
    digits = int(whole + fraction)
    if shift >= 0:
        return digits * power10(shift)
    return digits // power10(-shift) if shift > -64 else 0


def _price_or_none(value: Any) -> int | None:
    try:
        return price_e10(value)
    except InputError:
        return None


# Prices ----------------------------------------------------------------------------------------


def frame(message: Any) -> Frame:
    """A frame of any version of the price stream."""
    if type(message) is list:
        if len(message) == 1:
            return Frame((), (), _time_ms(message[0]))
        return Frame(_prints(message), (), None)
    if type(message) is not dict:
        raise InputError("BAD_FRAME", "neither an array nor an object")
    return Frame(
        _prints(message.get("m", [])),
        _prints(message.get("i", [])),
        _time_ms(message["t"]) if "t" in message else None,
    )


def _prints(flat: Any) -> tuple[Print, ...]:
    if type(flat) is not list or len(flat) % 2:
        raise InputError("BAD_FRAME", "not pairs of an index and a price")
    indices, values = flat[::2], flat[1::2]
    if indices and (set(map(type, indices)) != _INTEGERS or min(indices) < 0):
        raise InputError("BAD_FRAME", "not every second number is a pair index")
    try:
        prices: list[int | None] = list(map(price_e10, values))
    except InputError:
        prices = list(map(_price_or_none, values))
    return tuple(zip(indices, prices, strict=True))


def _time_ms(value: Any) -> int:
    if type(value) is not int or value <= 0:
        raise InputError("BAD_TIME", f"not a time: {value!r:.80}")
    return value


def charts(body: WireCharts) -> tuple[list[int | None], list[int | None]]:
    """Latest mark and index prices by pair index, None where there is none."""
    closes, indices = body["closes"], body.get("indexPrices", [])
    if type(closes) is not list or type(indices) is not list or not closes:
        raise InputError("BAD_CHARTS", "closes are no list of prices")
    return [_price_or_none(item) for item in closes], [_price_or_none(item) for item in indices]


# State of a chain ------------------------------------------------------------------------------


def read_variables(body: bytes) -> Variables:
    """``variables`` of a whole body."""
    return variables(orjson.loads(body))


def variables(raw: WireVariables) -> Variables:
    """The body of ``/trading-variables``. Raises when what concerns every pair is unreadable."""
    state = raw["tradingState"]
    if type(state) is not int or state not in (0, 1, 2):
        raise InputError("BAD_STATE", f"trading state {state!r:.80}")
    settings, infos, groups = raw["oiWindowsSettings"], raw["pairInfos"], raw["groups"]
    duration = count(settings["windowsDuration"])
    if not duration:
        raise InputError("BAD_WINDOWS", "windows of no length")
    pairs = _array(raw["pairs"])
    if not pairs:
        # An empty list would unlist everything; no chain has one.
        raise InputError("NO_PAIRS", "a chain without pairs")
    leverages = _array(infos["maxLeverages"])
    depths, factors = _depths(infos), _array(infos.get("pairFactors", []))
    return Variables(
        trading_state=state,
        pairs=tuple(
            _readable(_pair, item, groups, _at(leverages, i), _at(depths, i), _at(factors, i))
            for i, item in enumerate(pairs)
        ),
        collaterals=_collaterals(_array(raw["collaterals"])),
        offsets_ppm=_offsets(raw),
        windows=Windows(count(settings["startTs"]), duration, count(settings["windowsCount"])),
        volumes=tuple(_readable(_volumes, item) for item in _array(raw["oiWindows"])),
        hours={
            AssetClass.CRYPTO: True,
            AssetClass.FX: flag(raw["isForexOpen"]),
            AssetClass.EQUITY: flag(raw["isStocksOpen"]),
            AssetClass.INDEX: flag(raw["isIndicesOpen"]),
            AssetClass.COMMODITY: flag(raw["isCommoditiesOpen"]),
        },
    )


def _array(value: Any) -> list[Any]:
    if type(value) is not list:
        raise InputError("BAD_LIST", "not a list")
    return value


def _at(items: Sequence[_T], place: int) -> _T | None:
    return items[place] if place < len(items) else None


def _readable(make: Callable[..., _T], *arguments: Any) -> _T | None:
    try:
        return make(*arguments)
    except MALFORMED:
        return None


def _pair(
    raw: WirePair,
    groups: Sequence[WireGroup],
    leverage: Any,
    depth: tuple[Side, Side] | None,
    factors: WirePairFactors | None,
) -> Pair | None:
    """None for a slot that is not used."""
    if not raw["from"] or type(raw["from"]) is not str or type(raw["to"]) is not str:
        return None
    group = groups[count(raw["groupIndex"])]
    least = count(group["minLeverage"])
    most = (0 if leverage is None else count(leverage)) or count(group["maxLeverage"])
    return Pair(
        name=f"{raw['from']}/{raw['to']}",
        spread_p=count(raw["spreadP"]),
        max_leverage_e3=most if most >= least else None,
        above=None if depth is None else depth[0],
        below=None if depth is None else depth[1],
        factor_e10=0 if factors is None else count(factors["cumulativeFactor"]),
        exempt_on_open=False if factors is None else flag(factors["exemptOnOpen"]),
    )


def _depths(infos: WirePairInfos) -> list[tuple[Side, Side] | None]:
    bands = infos.get("pairDepthBands")
    if bands is not None:
        return [_readable(_sides, item) for item in _array(bands)]
    # Before v10.2 a depth was one number, with a formula of its own; without depth no impact.
    return [
        (_NO_DEPTH, _NO_DEPTH)
        if _readable(count, item["onePercentDepthAboveUsd"]) == 0
        and _readable(count, item["onePercentDepthBelowUsd"]) == 0
        else None
        for item in _array(infos["pairDepths"])
    ]


def _offsets(raw: WireVariables) -> tuple[int, ...]:
    if "pairDepthBands" not in raw["pairInfos"]:
        return _NO_OFFSETS
    mapping = raw["depthBandsMapping"]
    return decode_side(count(mapping["slot1"]), count(mapping["slot2"])).bands


def _sides(raw: WireDepthBands) -> tuple[Side, Side]:
    return (
        decode_side(count(raw["aboveSlot1"]), count(raw["aboveSlot2"])),
        decode_side(count(raw["belowSlot1"]), count(raw["belowSlot2"])),
    )


def _collaterals(rows: Iterable[WireCollateral]) -> tuple[Collateral, ...]:
    found: dict[str, Collateral] = {}
    for raw in rows:
        collateral = _readable(_collateral, raw)
        if collateral is not None:
            found.setdefault(collateral.symbol, collateral)
    return tuple(found.values())


def _collateral(raw: WireCollateral) -> Collateral | None:
    """None for a collateral that is not active."""
    if not flag(raw["isActive"]):
        return None
    if _SYMBOL.fullmatch(raw["symbol"]) is None:
        raise InputError("BAD_SYMBOL", f"collateral {raw['symbol']!r:.80}")
    nothing = PairOi(0, 0, 0)
    return Collateral(
        index=count(raw["collateralIndex"]),
        symbol=raw["symbol"],
        ois=tuple(_readable(_oi, item) or nothing for item in _array(raw.get("pairOis", []))),
        skew_depths=tuple(count(item) for item in _array(raw.get("pairSkewDepths", []))),
    )


def _oi(raw: WirePairOi) -> PairOi:
    token = raw["token"]
    return PairOi(
        count(raw["beforeV10"]["max"]), count(token["oiLongToken"]), count(token["oiShortToken"])
    )


def _volumes(raw: dict[str, WireWindow]) -> dict[int, Volume]:
    return {count(window): _volume(sizes) for window, sizes in raw.items()}


def _volume(raw: WireWindow) -> Volume:
    return Volume(count(raw["oiLongUsd"]), count(raw["oiShortUsd"]))


# Messages of a chain's stream ------------------------------------------------------------------


def read_update(body: bytes) -> Update | None:
    """``update`` of a whole frame."""
    return update(orjson.loads(body))


def update(message: Any) -> Update | None:
    """A message of the event stream; None for the many that say nothing about the touch."""
    name = message["name"]
    if name == "oiWindowUpdated":
        raw: WireWindowUpdate = message["value"]
        return VolumeUpdate(count(raw["pairIndex"]), count(raw["windowId"]), _volume(raw["newOi"]))
    if name == "openInterestPairUpdated":
        value = message["value"]
        return OiUpdate(count(value["pairIndex"]), count(value["collateralIndex"]), _tokens(value))
    if name == "tradingVariables":
        return variables(message["value"])
    if name == "deepReorg":
        return Reorg()
    if type(name) is not str:
        raise InputError("BAD_MESSAGE", "a message without a name")
    return None


def _tokens(value: dict[str, Any]) -> tuple[int, int] | None:
    """Open interest in pair tokens, beside the indices or one level down: no recording of v10
    tells. The payload of v8 has none."""
    for place in (value, *value.values()):
        token = place.get("token") if isinstance(place, dict) else None
        if token is not None:
            return count(token["oiLongToken"]), count(token["oiShortToken"])
    return None
