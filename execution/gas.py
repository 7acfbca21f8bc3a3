"""Fees of EIP-1559 transactions: what is offered at first, and how it grows. Pure integers, wei.

Arbitrum's sequencer takes transactions in the order they come: a higher fee buys nothing, and a
transaction that was dropped is sent again as it was. Where there is a mempool a replacement must
offer a tenth more, of both fees.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from domain.errors import InputError
from domain.exact import ceil_div
from domain.fee_caps import FEE_CAPS_WEI, GWEI

Resend: TypeAlias = Literal["same_bytes", "bump"]

BUMP_PERCENT: Final = 10
BASE_FEE_TIMES: Final = 2
"""Twice the base fee outlasts six full blocks, each of which raises it by an eighth."""


@dataclass(frozen=True, slots=True)
class FeeRules:
    """Of a chain. ``cap_wei``: of ``max_fee``, never exceeded. ``min_tip_wei``: the least tip that
    is taken there."""

    resend: Resend
    cap_wei: int
    min_tip_wei: int


@dataclass(frozen=True, slots=True)
class Fees:
    """Per gas."""

    max_fee_wei: int
    tip_wei: int


RULES: Final = {
    42161: FeeRules("same_bytes", FEE_CAPS_WEI[42161], 0),
    421614: FeeRules("same_bytes", FEE_CAPS_WEI[421614], 0),
    # The network refuses tips below 25 gwei (30 until 2025).
    137: FeeRules("bump", FEE_CAPS_WEI[137], 25 * GWEI),
    8453: FeeRules("bump", FEE_CAPS_WEI[8453], 1_000),
}


def rules_of(chain_id: int) -> FeeRules:
    """Raises InputError ``UNKNOWN_CHAIN``."""
    try:
        return RULES[chain_id]
    except KeyError:
        raise InputError("UNKNOWN_CHAIN", f"no fees are known for chain {chain_id}") from None


def first_fees(base_fee_wei: int, tip_wei: int, rules: FeeRules) -> Fees | None:
    """What a new transaction offers; None while not even the base fee is below the cap: it waits.

    The tip of a node that lies is cut to what is left below the cap.
    """
    if base_fee_wei < 0 or tip_wei < 0:
        raise InputError("BAD_FEE", "fees are not negative")
    wanted = max(tip_wei, rules.min_tip_wei)
    least = base_fee_wei + rules.min_tip_wei
    if least > rules.cap_wei:
        return None
    tip = min(wanted, rules.cap_wei - base_fee_wei)
    return Fees(min(BASE_FEE_TIMES * base_fee_wei + tip, rules.cap_wei), tip)


def bumped(sent: Fees, base_fee_wei: int, tip_wei: int, rules: FeeRules) -> Fees | None:
    """What replaces a transaction: a tenth more of both fees, rounded up, and not less than a new
    one would offer. None when that is above the cap: it is held, never overpaid.

    Raises InputError ``NO_REPLACEMENT`` on a chain where the same bytes are sent again.
    """
    if rules.resend != "bump":
        raise InputError("NO_REPLACEMENT", "the same bytes are sent again here")
    fresh = first_fees(base_fee_wei, tip_wei, rules)
    if fresh is None:
        return None
    max_fee = max(_tenth_more(sent.max_fee_wei), fresh.max_fee_wei)
    tip = max(_tenth_more(sent.tip_wei), fresh.tip_wei)
    # A tip above the whole fee is no valid transaction.
    max_fee = max(max_fee, tip)
    return None if max_fee > rules.cap_wei else Fees(max_fee, tip)


def _tenth_more(wei: int) -> int:
    """At least one wei more, so that a fee of nothing grows too."""
    return max(ceil_div(wei * (100 + BUMP_PERCENT), 100), wei + 1)
