"""Borrowing fees: v1 by block, pair and group, and v2 by second. A trade pays both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.gains.economics.scales import E10, WHOLE_P, Collateral, ContractRefusal

_CAP_WHOLE: Final = 100_000


@dataclass(frozen=True, slots=True)
class Accrual:
    """A pair or a group. Accumulators and ``fee_per_block_p`` are percent in e10."""

    fee_per_block_p: int
    long_p: int
    short_p: int
    updated_block: int
    exponent: int


@dataclass(frozen=True, slots=True)
class OpenInterest:
    """Open interest and its limit in whole tokens of collateral, e10. ``max_e10`` 0: no limit and
    no fee."""

    long_e10: int
    short_e10: int
    max_e10: int


@dataclass(frozen=True, slots=True)
class FeeCap:
    """Bounds of the net open interest that counts, as shares of the limit in 1e-5.

    ``max_e5`` 0 stands for all of it.
    """

    min_e5: int = 0
    max_e5: int = 0


NO_CAP: Final = FeeCap()


@dataclass(frozen=True, slots=True)
class Membership:
    """A pair's time in one group, from ``block`` on: accumulators of that moment."""

    group: int
    block: int
    initial_long_p: int
    initial_short_p: int
    previous_group_long_p: int
    previous_group_short_p: int
    pair_long_p: int
    pair_short_p: int


@dataclass(frozen=True, slots=True)
class InitialFees:
    """Accumulators of a trade's side when it was opened or its fees were last realized."""

    pair_p: int
    group_p: int
    block: int


class Accrued(NamedTuple):
    """Accumulators as of a block, and what was added since they were stored."""

    long_p: int
    short_p: int
    long_delta_p: int
    short_delta_p: int

    def of(self, *, long: bool) -> int:
        return self.long_p if long else self.short_p


def pair_open_interest(
    before_v10: OpenInterest,
    long_token_e18: int,
    short_token_e18: int,
    price_e10: int,
    collateral: Collateral,
) -> tuple[int, int]:
    """(long, short) at the price, in base units: trades of before v10 count as they were opened.

    Source: TradingCommonUtils.getPairTotalOisDynamicCollateral, v10.2.
    """
    return (
        collateral.from_e10(before_v10.long_e10)
        + collateral.from_tokens(long_token_e18, price_e10),
        collateral.from_e10(before_v10.short_e10)
        + collateral.from_tokens(short_token_e18, price_e10),
    )


def accrued(
    stored: Accrual,
    long_oi: int,
    short_oi: int,
    max_e10: int,
    collateral: Collateral,
    block: int,
    cap: FeeCap = NO_CAP,
) -> Accrued:
    """Accumulators of a pair or a group at ``block``; ``long_oi``, ``short_oi`` in base units.

    The heavier side pays for the net open interest within the cap, the lighter one for the least
    that counts, and a side without open interest for nothing. Equal sides count as long-heavy.
    Raises ContractRefusal ``BlockOrder`` for a block before the stored one.
    Source: BorrowingFeesUtils.getBorrowingPairPendingAccFees and getBorrowingGroupPendingAccFees,
    v10.2.
    """
    if block < stored.updated_block:
        raise ContractRefusal("BlockOrder", "fees were stored at a later block")
    least = max_e10 * collateral.precision * cap.min_e5 // (E10 * _CAP_WHOLE)
    most = max_e10 * collateral.precision * (cap.max_e5 or _CAP_WHOLE) // (E10 * _CAP_WHOLE)
    heavy = max(min(abs(long_oi - short_oi), most), least)
    blocks = block - stored.updated_block
    heavy_p = _delta_p(stored, heavy, max_e10, collateral, blocks)
    light_p = _delta_p(stored, least, max_e10, collateral, blocks)
    long_p, short_p = (light_p, heavy_p) if long_oi < short_oi else (heavy_p, light_p)
    long_p, short_p = (long_p if long_oi else 0), (short_p if short_oi else 0)
    return Accrued(stored.long_p + long_p, stored.short_p + short_p, long_p, short_p)


def _delta_p(stored: Accrual, net: int, max_e10: int, collateral: Collateral, blocks: int) -> int:
    if not max_e10 or not stored.exponent or not stored.fee_per_block_p:
        return 0
    share: int = (net * E10 // max_e10) ** stored.exponent
    scale: int = collateral.precision**stored.exponent
    return blocks * stored.fee_per_block_p * share // scale


def group_accrued(stored: Accrual, oi: OpenInterest, collateral: Collateral, block: int) -> Accrued:
    """``accrued`` of a group, whose open interest is stored in collateral and has no cap."""
    return accrued(
        stored,
        collateral.from_e10(oi.long_e10),
        collateral.from_e10(oi.short_e10),
        oi.max_e10,
        collateral,
        block,
    )


def fee_v1(
    collateral_amount: int,
    leverage_e3: int,
    initial: InitialFees,
    pair: Accrued,
    groups: Mapping[int, Accrued],
    memberships: Sequence[Membership],
    *,
    long: bool,
) -> int:
    """What a trade owes: for every membership the larger of what its pair and its group accrued.

    ``pair`` and ``groups`` (by index, the last membership's is needed) as of the block asked about;
    ``memberships`` from the oldest on. Raises KeyError when the last group is missing.
    Source: BorrowingFeesUtils.getTradeBorrowingFee, v10.2.
    """
    fee_p = 0
    if not memberships:
        fee_p = pair.of(long=long) - initial.pair_p
    elif memberships[0].block > initial.block:
        first = memberships[0]
        fee_p = (first.pair_long_p if long else first.pair_short_p) - initial.pair_p
    for place in range(len(memberships) - 1, -1, -1):
        member = memberships[place]
        later = memberships[place + 1] if place + 1 < len(memberships) else None
        older = member.block < initial.block
        if later is None:
            group_p, pair_p = groups[member.group].of(long=long), pair.of(long=long)
        elif older and later.block <= initial.block:
            break
        else:
            group_p = later.previous_group_long_p if long else later.previous_group_short_p
            pair_p = later.pair_long_p if long else later.pair_short_p
        if older:
            fee_p += max(group_p - initial.group_p, pair_p - initial.pair_p)
            break
        fee_p += max(
            group_p - (member.initial_long_p if long else member.initial_short_p),
            pair_p - (member.pair_long_p if long else member.pair_short_p),
        )
    return collateral_amount * leverage_e3 * fee_p // 1000 // WHOLE_P


# v2 --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AccrualV2:
    """``rate_p``: e10 percent a second. ``acc_p_e20``: percent times price."""

    rate_p: int
    acc_p_e20: int
    updated_s: int


def accrued_v2(stored: AccrualV2, price_e10: int, now_s: int) -> int:
    """Accumulator in 1e-20 percent times price, if the pair price was ``price_e10`` since stored.

    Source: FundingFeesUtils.getPairPendingAccBorrowingFees, v10.2.
    """
    return stored.acc_p_e20 + stored.rate_p * (now_s - stored.updated_s) * price_e10


def fee_v2(size: int, acc_p_e20: int, initial_p_e20: int, open_price_e10: int) -> int:
    """Source: FundingFeesUtils.getTradeBorrowingFeesCollateral, v10.2."""
    return size * (acc_p_e20 - initial_p_e20) // open_price_e10 // WHOLE_P
