"""The body of ``/trading-variables`` in the layout of v10.2: everything of a chain but the trades.

Arrays of pairs have one slot a pair, some of them the unused ones too, as recorded."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from runtime.clock import iso_ms
from sandbox.gains.catalogue import UNUSED_SLOTS, Collateral, Pair
from sandbox.gains.chain import GROUP, Chain
from sandbox.gains.interest import BORROWING_RATE_P, FUNDING_PARAMS, Borrowing, Interest
from sandbox.gains.numbers import js_value

# Cumulative share of a side's depth in each of its 30 bands, in basis points.
_BANDS_BPS: Final = (
    *(150, 300, 450, 600, 800, 1100, 1400, 1800, 2200, 2600, 3000, 3500, 4000, 4500, 5000),
    *(5400, 5800, 6200, 6800, 7300, 7900, 8400, 8800, 9200, 9500, 9700, 9850, 9930, 9980, 10000),
)
_BELOW_SHARE: Final = 0.72
_GNS_USD: Final = 2.1466
_NEGATIVE_PNL_MULTIPLIER: Final = "4000000000"

# A spread that no contract can hold: who takes it for a number sees bid above ask.
_CROSSED_SPREAD_P: Final = "-20000000000"

_UNUSED_PAIR: Final = {"from": "", "to": "", "spreadP": "0", "groupIndex": "0", "feeIndex": "0"}
_NO_BANDS: Final = {"aboveSlot1": "0", "aboveSlot2": "0", "belowSlot1": "0", "belowSlot2": "0"}
_NO_FACTORS: Final = {
    "protectionCloseFactor": "0",
    "protectionCloseFactorBlocks": "0",
    "cumulativeFactor": "0",
    "exemptOnOpen": False,
    "exemptAfterProtectionCloseFactor": False,
}
_FACTORS: Final = {
    "protectionCloseFactor": "65000000000",
    "protectionCloseFactorBlocks": "2000",
    "cumulativeFactor": "10000000000",
    "exemptOnOpen": False,
    "exemptAfterProtectionCloseFactor": False,
}
# Pairs recorded as free of volume impact on opening (ETH).
_EXEMPT: Final = frozenset((1,))
_NO_COUNTER_TRADES: Final = {"maxLeverage": "0", "feeRateMultiplier": "1000"}
_COUNTER_TRADES: Final = {"maxLeverage": "25000", "feeRateMultiplier": "500"}
_NO_FUNDING_PARAMS: Final = {
    "skewCoefficientPerYear": "0",
    "absoluteVelocityPerYearCap": "0",
    "absoluteRatePerSecondCap": "0",
    "thetaThresholdUsd": "0",
    "fundingFeesEnabled": False,
    "aprMultiplierEnabled": False,
}
_NO_MEMBERSHIP: Final = {
    "block": "0",
    "initialAccFeeLong": "0",
    "initialAccFeeShort": "0",
    "prevGroupAccFeeLong": "0",
    "prevGroupAccFeeShort": "0",
    "pairAccFeeLong": "0",
    "pairAccFeeShort": "0",
}
_NOBODY: Final = Interest(*(0,) * 13)


class Variables:
    """Builds the body of one chain, at most once a change."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._built_version = -1
        self._body = b""
        self._fixed = _fixed(chain)

    def body(self) -> bytes:
        if self._built_version != self._chain.version:
            self._built_version = self._chain.version
            self._body = orjson.dumps(self._value())
        return self._body

    def frame(self) -> bytes:
        """The message of the event stream."""
        return b'{"name":"tradingVariables","value":' + self.body() + b"}"

    def _value(self) -> dict[str, Any]:
        chain = self._chain
        now_us = chain.refreshed_us
        parameters = chain.parameters
        fee_tiers = {**parameters["feeTiers"], "currentDay": now_us // 86_400_000_000}
        windows = [
            chain.windows[pair.index].all_shown() if pair.index in chain.windows else {}
            for pair in chain.pairs
        ]
        return {
            "lastRefreshed": iso_ms(now_us),
            "refreshId": chain.refresh_id,
            **parameters,
            "pairs": [self._pair(pair) for pair in chain.pairs] + [_UNUSED_PAIR] * UNUSED_SLOTS,
            **self._fixed,
            "collaterals": [self._collateral(each) for each in chain.spec.collaterals],
            "negPnlCumulVolMultiplier": _NEGATIVE_PNL_MULTIPLIER,
            "oiWindows": windows + [{}] * UNUSED_SLOTS,
            "feeTiers": fee_tiers,
            "currentBlock": chain.block,
            "currentL1Block": chain.l1_block,
            "isForexOpen": chain.is_open["forex"],
            "isStocksOpen": chain.is_open["stocks"],
            "isIndicesOpen": chain.is_open["indices"],
            "isCommoditiesOpen": chain.is_open["commodities"],
        }

    def _pair(self, pair: Pair) -> dict[str, str]:
        crossed = pair.index in self._chain.crossed
        return {
            "from": pair.base,
            "to": pair.quote,
            "spreadP": _CROSSED_SPREAD_P if crossed else pair.spread_p,
            "groupIndex": pair.group_index,
            "feeIndex": pair.fee_index,
        }

    def _collateral(self, collateral: Collateral) -> dict[str, Any]:
        chain = self._chain
        interests = chain.interests.get(collateral.index, {})
        listed = [interests.get(pair.index, _NOBODY) for pair in chain.pairs]
        price = chain.collateral_price(collateral)
        ois = [_oi(chain, i, interest) for i, interest in enumerate(listed)]
        balance = str(2_000_000 * collateral.unit)
        return {
            "collateralIndex": collateral.index,
            "collateral": collateral.token,
            "symbol": collateral.symbol,
            "isActive": collateral.is_active,
            "prices": {
                "collateralPriceUsd": js_value(price),
                "gnsPriceCollateral": js_value(round(_GNS_USD / price, 10)),
                "gnsPriceUsd": _GNS_USD,
            },
            "collateralConfig": {
                "precision": str(collateral.unit),
                "precisionDelta": str(10**18 // collateral.unit),
                "decimals": collateral.decimals,
            },
            "gToken": {
                "address": collateral.vault,
                "currentBalanceCollateral": balance,
                "maxBalanceCollateral": balance,
                "marketCap": balance,
                "lossesBurnP": "1000000000000000000",
            },
            "pairSkewDepths": [str(interest.depth) for interest in listed],
            "fundingFees": {
                "pairGlobalParams": [
                    {"maxSkewCollateral": str(interest.max_skew_e10)} for interest in listed
                ],
                "pairParams": [
                    FUNDING_PARAMS if interest.depth else _NO_FUNDING_PARAMS for interest in listed
                ],
                "pairData": [interest.shown_funding() for interest in listed],
            },
            "pairOis": ois,
            "borrowingFees": {
                "v2": _borrowing_v2(listed),
                "v1": _borrowing_v1(chain, collateral, listed, ois),
            },
        }


def _fixed(chain: Chain) -> dict[str, Any]:
    """What does not change while the replica runs."""
    groups = chain.parameters["liquidationParams"]["groups"]
    pairs = chain.pairs
    liquidation = [groups[int(pair.group_index)] for pair in pairs] + [groups[0]] * UNUSED_SLOTS
    return {
        "pairInfos": {
            "maxLeverages": [pair.max_leverage for pair in pairs],
            "pairDepthBands": _padded(chain, _bands, _NO_BANDS),
            "pairFactors": _padded(chain, _factors, _NO_FACTORS),
        },
        "liquidationParams": {"pairs": liquidation, "groups": groups},
        "counterTradeSettings": _padded(
            chain,
            lambda pair: _COUNTER_TRADES if pair.is_core and pair.market else _NO_COUNTER_TRADES,
            _NO_COUNTER_TRADES,
        ),
        "sssRewardTokens": [collateral.token for collateral in chain.spec.collaterals],
    }


def _padded(
    chain: Chain, of: Callable[[Pair], Mapping[str, Any]], unused: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    return [of(pair) for pair in chain.pairs] + [unused] * UNUSED_SLOTS


def _bands(pair: Pair) -> Mapping[str, str]:
    """Volume impact is a matter of crypto: other classes were recorded without depth."""
    if pair.market is None or pair.asset_class != "crypto":
        return _NO_BANDS
    above = encode_slots(pair.depth_usd, _BANDS_BPS)
    below = encode_slots(int(pair.depth_usd * _BELOW_SHARE), _BANDS_BPS)
    return {
        "aboveSlot1": str(above[0]),
        "aboveSlot2": str(above[1]),
        "belowSlot1": str(below[0]),
        "belowSlot2": str(below[1]),
    }


def encode_slots(total: int, bands: tuple[int, ...]) -> tuple[int, int]:
    """A whole number of 32 bits and 14 bands in the first word, 16 bands in the second."""
    first, second = total, 0
    for i, band in enumerate(bands[:14]):
        first |= band << (32 + 16 * i)
    for i, band in enumerate(bands[14:]):
        second |= band << (16 * i)
    return first, second


def _factors(pair: Pair) -> Mapping[str, Any]:
    exempt = pair.index in _EXEMPT
    return {**_FACTORS, "exemptOnOpen": exempt, "exemptAfterProtectionCloseFactor": exempt}


def _oi(chain: Chain, pair_index: int, interest: Interest) -> dict[str, Any]:
    shown = interest.shown_oi()
    if pair_index in chain.delisted:
        shown["beforeV10"]["max"] = "0"
    return shown


def _borrowing_v2(listed: list[Interest]) -> dict[str, Any]:
    return {
        "pairParams": [
            {"borrowingRatePerSecondP": str(BORROWING_RATE_P) if interest.depth else "0"}
            for interest in listed
        ],
        "pairData": [interest.shown_borrowing() for interest in listed],
    }


def _borrowing_v1(
    chain: Chain, collateral: Collateral, listed: list[Interest], ois: list[dict[str, Any]]
) -> dict[str, Any]:
    """Pairs with funding left their group for the first, which is empty, as recorded."""
    member = {"groupIndex": str(GROUP), **_NO_MEMBERSHIP}
    left = {"groupIndex": "0", **_NO_MEMBERSHIP}
    nothing = Borrowing(0, 0, 0, chain.block)
    pairs = [
        {
            "oi": oi,
            "feePerBlock": str((interest.borrowing or nothing).fee_per_block),
            **(interest.borrowing or nothing).shown(),
            "feeExponent": "1",
            "groups": [member, left] if interest.depth else [member],
            "feePerBlockCap": {"minP": "10000", "maxP": "80000"},
        }
        for interest, oi in zip(listed, ois, strict=True)
    ]
    empty = {
        "oi": {"long": "0", "short": "0", "max": "0"},
        "feePerBlock": "0",
        **nothing.shown(),
        "feeExponent": "0",
    }
    groups = [empty] * len(chain.parameters["groups"])
    group = chain.groups.get(collateral.index)
    if group is not None:
        groups[GROUP] = {
            "oi": group.shown_oi(),
            "feePerBlock": str(group.borrowing.fee_per_block),
            **group.borrowing.shown(),
            "feeExponent": "1",
        }
    return {"pairs": pairs, "groups": groups}
