"""What ``/trading-variables`` says of each collateral. Pure.

Raises as ``values`` does. What concerns one pair alone is left out where it cannot be read.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from connectors.gains.economics.borrowing import NO_CAP, Accrual, FeeCap, OpenInterest
from connectors.gains.economics.funding import Funding, FundingTerms
from connectors.gains.economics.scales import Collateral as Token
from connectors.gains.messages import (
    WireBorrowingGroup,
    WireBorrowingPair,
    WireCollateral,
    WireFundingData,
    WireFundingParams,
    WireLimitOi,
    WirePairOi,
)
from connectors.gains.model import Collateral, Group, PairOi, PairTerms
from connectors.gains.values import array, at, count, flag, price_e10, readable, signed
from domain.errors import InputError

_SYMBOL: Final = re.compile(r"[A-Za-z0-9._]{1,20}")
_MAX_DECIMALS: Final = 18
_MAX_EXPONENT: Final = 3
"""The contract takes no other, and a large one would take for ever to compute."""

_NOTHING: Final = PairOi(0, 0, 0, None)
_E10_TO_E8: Final = 100


def collaterals(rows: Iterable[WireCollateral]) -> tuple[Collateral, ...]:
    """The active ones that can be read; of two with one symbol the first."""
    found: dict[str, Collateral] = {}
    for raw in rows:
        collateral = readable(_collateral, raw)
        if collateral is not None:
            found.setdefault(collateral.symbol, collateral)
    return tuple(found.values())


def _collateral(raw: WireCollateral) -> Collateral | None:
    """None for a collateral that is not active."""
    if not flag(raw["isActive"]):
        return None
    if _SYMBOL.fullmatch(raw["symbol"]) is None:
        raise InputError("BAD_SYMBOL", f"collateral {raw['symbol']!r:.80}")
    ois = tuple(readable(_oi, item) or _NOTHING for item in array(raw.get("pairOis", [])))
    return Collateral(
        index=count(raw["collateralIndex"]),
        symbol=raw["symbol"],
        token=readable(_token, raw),
        ois=ois,
        skew_depths=tuple(count(item) for item in array(raw.get("pairSkewDepths", []))),
        terms=readable(_all_terms, raw, ois) or (),
        groups=readable(_groups, raw) or (),
    )


def _token(raw: WireCollateral) -> Token:
    decimals = count(raw["collateralConfig"]["decimals"])
    price = price_e10(raw["prices"]["collateralPriceUsd"]) // _E10_TO_E8
    if decimals > _MAX_DECIMALS or not price:
        raise InputError("BAD_COLLATERAL", f"{decimals} decimals, price {price} e8")
    return Token(decimals, price)


def _oi(raw: WirePairOi) -> PairOi:
    token, before = raw["token"], raw["beforeV10"]
    return PairOi(
        count(before["max"]),
        count(token["oiLongToken"]),
        count(token["oiShortToken"]),
        readable(open_interest, before),
    )


def open_interest(raw: WireLimitOi) -> OpenInterest:
    return OpenInterest(count(raw["long"]), count(raw["short"]), count(raw["max"]))


def _all_terms(raw: WireCollateral, ois: Sequence[PairOi]) -> tuple[PairTerms | None, ...]:
    funding, borrowing = raw["fundingFees"], raw["borrowingFees"]
    lists: tuple[list[Any], ...] = (
        funding["pairGlobalParams"],
        funding["pairParams"],
        funding["pairData"],
        borrowing["v2"]["pairParams"],
        borrowing["v1"]["pairs"],
    )
    return tuple(
        readable(_terms, *(at(array(items), index) for items in lists)) if oi.limit else None
        for index, oi in enumerate(ois)
    )


def _terms(
    limits: Any, params: WireFundingParams, data: WireFundingData, v2: Any, v1: WireBorrowingPair
) -> PairTerms:
    cap, groups = v1.get("feePerBlockCap"), array(v1["groups"])
    return PairTerms(
        max_skew_e10=count(limits["maxSkewCollateral"]),
        funding=funding(data),
        funding_terms=FundingTerms(
            skew_coefficient_e26=count(params["skewCoefficientPerYear"]),
            velocity_cap_e7=count(params["absoluteVelocityPerYearCap"]),
            rate_cap_p=count(params["absoluteRatePerSecondCap"]),
            theta_usd=count(params["thetaThresholdUsd"]),
            enabled=flag(params["fundingFeesEnabled"]),
            apr_multiplier=flag(params["aprMultiplierEnabled"]),
        ),
        rate_v2_p=count(v2["borrowingRatePerSecondP"]),
        accrual=_accrual(v1),
        cap=NO_CAP if cap is None else FeeCap(count(cap["minP"]), count(cap["maxP"])),
        group=count(groups[-1]["groupIndex"]) if groups else 0,
        grouped=bool(groups),
    )


def funding(raw: WireFundingData) -> Funding:
    return Funding(
        signed(raw["accFundingFeeLongP"]),
        signed(raw["accFundingFeeShortP"]),
        signed(raw["lastFundingRatePerSecondP"]),
        count(raw["lastFundingUpdateTs"]),
    )


def _accrual(raw: WireBorrowingPair | WireBorrowingGroup) -> Accrual:
    """From nothing at block 0, see ``holding.HoldingTerms``."""
    exponent = count(raw["feeExponent"])
    if exponent > _MAX_EXPONENT:
        raise InputError("BAD_EXPONENT", "a fee exponent beyond the contract's")
    return Accrual(count(raw["feePerBlock"]), 0, 0, 0, exponent)


def _groups(raw: WireCollateral) -> tuple[Group | None, ...]:
    return tuple(readable(_group, item) for item in array(raw["borrowingFees"]["v1"]["groups"]))


def _group(raw: WireBorrowingGroup) -> Group:
    return Group(open_interest(raw["oi"]), _accrual(raw))
