"""Gains wire values -> values of this package. Pure.

Every function raises InputError, KeyError, TypeError or ValueError on what the protocol does not
allow. Where only one pair or collateral is unreadable, that one is left out: it then has no pool.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from connectors.base.markets import AssetClass
from connectors.gains.collaterals import collaterals, funding, open_interest
from connectors.gains.constants import FULL_BPS
from connectors.gains.economics.borrowing import OpenInterest
from connectors.gains.economics.depth import Side, decode_side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.impact import PairFactors
from connectors.gains.economics.position import LiquidationTerms
from connectors.gains.economics.windows import Windows
from connectors.gains.messages import (
    WireCharts,
    WireDepthBands,
    WireFee,
    WireGroup,
    WireLiquidation,
    WirePair,
    WirePairFactors,
    WirePairInfos,
    WireVariables,
    WireWindow,
    WireWindowUpdate,
)
from connectors.gains.model import (
    Frame,
    FundingUpdate,
    GroupUpdate,
    OiUpdate,
    Pair,
    Print,
    Reorg,
    Update,
    Variables,
    Volume,
    VolumeUpdate,
)
from connectors.gains.values import array, at, count, flag, price_e10, price_or_none, readable
from domain.errors import InputError

_INTEGERS: Final = {int}
_NO_DEPTH: Final = Side(0, (FULL_BPS,) * 30)
_NO_OFFSETS: Final = (0,) * 30

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
        prices = list(map(price_or_none, values))
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
    return [price_or_none(item) for item in closes], [price_or_none(item) for item in indices]


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
    pairs = array(raw["pairs"])
    if not pairs:
        # An empty list would unlist everything; no chain has one.
        raise InputError("NO_PAIRS", "a chain without pairs")
    leverages = array(infos["maxLeverages"])
    depths, factors = _depths(infos), array(infos.get("pairFactors", []))
    fees = array(raw.get("fees", []))
    liquidation = array(raw.get("liquidationParams", {}).get("pairs", []))
    return Variables(
        trading_state=state,
        pairs=tuple(
            readable(
                _pair,
                item,
                groups,
                fees,
                at(leverages, i),
                at(depths, i),
                at(factors, i),
                at(liquidation, i),
            )
            for i, item in enumerate(pairs)
        ),
        collaterals=collaterals(array(raw["collaterals"])),
        offsets_ppm=_offsets(raw),
        windows=Windows(count(settings["startTs"]), duration, count(settings["windowsCount"])),
        volumes=tuple(readable(_volumes, item) for item in array(raw["oiWindows"])),
        hours={
            AssetClass.CRYPTO: True,
            AssetClass.FX: flag(raw["isForexOpen"]),
            AssetClass.EQUITY: flag(raw["isStocksOpen"]),
            AssetClass.INDEX: flag(raw["isIndicesOpen"]),
            AssetClass.COMMODITY: flag(raw["isCommoditiesOpen"]),
        },
    )


def _pair(
    raw: WirePair,
    groups: Sequence[WireGroup],
    fees: Sequence[WireFee],
    leverage: Any,
    depth: tuple[Side, Side] | None,
    factors: WirePairFactors | None,
    liquidation: WireLiquidation | None,
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
        min_leverage_e3=least,
        max_leverage_e3=most if most >= least else None,
        above=None if depth is None else depth[0],
        below=None if depth is None else depth[1],
        factors=PairFactors()
        if factors is None
        else PairFactors(
            cumulative_e10=count(factors["cumulativeFactor"]),
            exempt_on_open=flag(factors["exemptOnOpen"]),
        ),
        fees=readable(_fees, raw, fees),
        liquidation=None if liquidation is None else readable(_liquidation, liquidation),
    )


def _liquidation(raw: WireLiquidation) -> LiquidationTerms:
    return LiquidationTerms(
        count(raw["maxLiqSpreadP"]),
        count(raw["startLiqThresholdP"]),
        count(raw["endLiqThresholdP"]),
        count(raw["startLeverage"]),
        count(raw["endLeverage"]),
    )


def _fees(raw: WirePair, fees: Sequence[WireFee]) -> FeeTerms:
    group = fees[count(raw["feeIndex"])]
    return FeeTerms(
        count(group["totalPositionSizeFeeP"]),
        count(group["totalLiqCollateralFeeP"]),
        count(group["minPositionSizeUsd"]),
    )


def _depths(infos: WirePairInfos) -> list[tuple[Side, Side] | None]:
    bands = infos.get("pairDepthBands")
    if bands is not None:
        return [readable(_sides, item) for item in array(bands)]
    # Before v10.2 a depth was one number, with a formula of its own; without depth no impact.
    return [
        (_NO_DEPTH, _NO_DEPTH)
        if readable(count, item["onePercentDepthAboveUsd"]) == 0
        and readable(count, item["onePercentDepthBelowUsd"]) == 0
        else None
        for item in array(infos["pairDepths"])
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


def _volumes(raw: dict[str, WireWindow]) -> dict[int, Volume]:
    return {count(window): _volume(sizes) for window, sizes in raw.items()}


def _volume(raw: WireWindow) -> Volume:
    return Volume(count(raw["oiLongUsd"]), count(raw["oiShortUsd"]))


# Messages of a chain's stream ------------------------------------------------------------------


def read_update(body: bytes) -> Update | None:
    """``update`` of a whole frame."""
    return update(orjson.loads(body))


def update(message: Any) -> Update | None:
    """A message of the event stream; None for the many that say nothing of use.

    Of a group or of funding it is also none that cannot be read: they do not move the touch, and
    the next poll has them.
    """
    name = message["name"]
    if name == "oiWindowUpdated":
        raw: WireWindowUpdate = message["value"]
        return VolumeUpdate(count(raw["pairIndex"]), count(raw["windowId"]), _volume(raw["newOi"]))
    if name == "openInterestPairUpdated":
        return _oi_update(message["value"])
    if name == "tradingVariables":
        return variables(message["value"])
    if name == "deepReorg":
        return Reorg()
    if name == "openInterestGroupUpdated":
        return readable(_group_update, message["value"])
    if name == "pendingAccFundingFeesStored":
        return readable(_funding_update, message["value"])
    if type(name) is not str:
        raise InputError("BAD_MESSAGE", "a message without a name")
    return None


def _oi_update(value: dict[str, Any]) -> OiUpdate:
    """Open interest stands beside the indices or one level down: no recording of v10 tells. The
    payload of v8 has none in tokens."""
    pair, collateral = count(value["pairIndex"]), count(value["collateralIndex"])
    for place in (value, *value.values()):
        token = place.get("token") if isinstance(place, dict) else None
        if token is not None:
            tokens = count(token["oiLongToken"]), count(token["oiShortToken"])
            before: OpenInterest | None = readable(open_interest, place.get("beforeV10"))
            return OiUpdate(pair, collateral, tokens, before)
    return OiUpdate(pair, collateral, None)


def _group_update(value: dict[str, Any]) -> GroupUpdate:
    fees = value["groupBorrowingFees"]
    return GroupUpdate(
        count(value["groupIndex"]),
        count(value["collateralIndex"]),
        count(fees["oiLong"]),
        count(fees["oiShort"]),
    )


def _funding_update(value: dict[str, Any]) -> FundingUpdate:
    return FundingUpdate(
        count(value["pairIndex"]), count(value["collateralIndex"]), funding(value["pairData"])
    )
