"""Open interest, skew, funding and borrowing of one pair in one collateral; volume windows of one
pair.

Integers in the contract's scales. Pure."""

from dataclasses import dataclass
from typing import Any, Final

E10: Final = 10**10
E18: Final = 10**18

# Funding parameters of core pairs as recorded (LINK in USDC).
FUNDING_PARAMS: Final = {
    "skewCoefficientPerYear": "10000000000000000000000000000",
    "absoluteVelocityPerYearCap": "10000",
    "absoluteRatePerSecondCap": "3170978",
    "thetaThresholdUsd": "100000",
    "fundingFeesEnabled": True,
    "aprMultiplierEnabled": False,
}
_RATE_CAP_E18: Final = 3_170_978 * 10**8
# Percent a second that core pairs pay for borrowing, as recorded.
BORROWING_RATE_P: Final = 63_420
# The rate that a skew of one percent leads to, and how fast it gets there.
_RATE_OF_SKEW_E18: Final = 60_000_000_000_000
_APPROACH_S: Final = 3_600


@dataclass(slots=True)
class Borrowing:
    """Borrowing fees by block, of a pair or of a group: percent that each side has paid so far.

    Net open interest counts from ``least_e5`` to ``most_e5`` of what is allowed; the lighter side
    pays for the least.
    """

    fee_per_block: int
    least_e5: int
    most_e5: int
    block: int
    long_p: int = 0
    short_p: int = 0

    def accrue(self, long_e10: int, short_e10: int, max_e10: int, block: int) -> None:
        blocks, self.block = block - self.block, block
        least = max_e10 * self.least_e5 // 100_000
        most = max_e10 * self.most_e5 // 100_000
        heavy = max(least, min(most, abs(long_e10 - short_e10)))
        paid = [self.fee_per_block * blocks * size // max_e10 for size in (heavy, least)]
        heavy_long = long_e10 >= short_e10
        self.long_p += paid[not heavy_long] if long_e10 else 0
        self.short_p += paid[heavy_long] if short_e10 else 0

    def shown(self) -> dict[str, str]:
        return {**self._fees(), "accLastUpdatedBlock": str(self.block)}

    def told(self) -> dict[str, str | int]:
        """As messages write it: another name for the block, and a number."""
        return {**self._fees(), "accLastUpdateBlock": self.block}

    def _fees(self) -> dict[str, str]:
        return {"accFeeLong": str(self.long_p), "accFeeShort": str(self.short_p)}


@dataclass(slots=True)
class Group:
    """Open interest of all pairs of a borrowing group, in whole tokens of one collateral."""

    long_e10: int
    short_e10: int
    max_e10: int
    borrowing: Borrowing

    def add(self, *, long: bool, size_e10: int, block: int) -> None:
        self.borrowing.accrue(self.long_e10, self.short_e10, self.max_e10, block)
        if long:
            self.long_e10 += size_e10
        else:
            self.short_e10 += size_e10

    def shown_oi(self) -> dict[str, str]:
        return {
            "long": str(self.long_e10),
            "short": str(self.short_e10),
            "max": str(self.max_e10),
        }


@dataclass(slots=True)
class Interest:
    """``depth`` is in pair tokens of 1e18 for one percent; 0 where the pair has no skew, and
    then it has ``borrowing`` by block, else funding and a rate by second."""

    max_e10: int
    max_skew_e10: int
    depth: int
    old_long_e10: int
    old_short_e10: int
    long_collateral: int
    short_collateral: int
    long_tokens: int
    short_tokens: int
    funding_rate_e18: int
    funding_long_e20: int
    funding_short_e20: int
    funding_at_s: int
    borrowed_e20: int = 0
    borrowing: Borrowing | None = None

    @property
    def net_tokens(self) -> int:
        return self.long_tokens - self.short_tokens

    def skew_p_e10(self, tokens: int = 0) -> int:
        """Percent that the skew, with half of ``tokens`` (signed) on top, moves the price."""
        if self.depth == 0:
            return 0
        return truncated((2 * self.net_tokens + tokens) * E10, 4 * self.depth)

    def add(self, *, long: bool, collateral: int, tokens: int) -> None:
        """Books a trade; negative amounts take it out."""
        if long:
            self.long_collateral += collateral
            self.long_tokens += tokens
        else:
            self.short_collateral += collateral
            self.short_tokens += tokens

    def accrue(self, now_s: int, block: int, price_e10: int) -> None:
        """Stores fees up to now; the rate of funding follows the skew."""
        if self.borrowing is not None:
            long = self.old_long_e10 + self.long_tokens * price_e10 // E18
            short = self.old_short_e10 + self.short_tokens * price_e10 // E18
            self.borrowing.accrue(long, short, self.max_e10, block)
        seconds = now_s - self.funding_at_s
        if self.depth == 0 or seconds <= 0:
            return
        paid = truncated(self.funding_rate_e18 * 100 * seconds * price_e10, E10)
        self.funding_long_e20 += paid
        self.funding_short_e20 -= paid
        self.borrowed_e20 += BORROWING_RATE_P * seconds * price_e10
        goal = truncated(self.skew_p_e10() * _RATE_OF_SKEW_E18, E10)
        goal = max(-_RATE_CAP_E18, min(_RATE_CAP_E18, goal))
        step = min(seconds, _APPROACH_S)
        self.funding_rate_e18 += truncated((goal - self.funding_rate_e18) * step, _APPROACH_S)
        self.funding_at_s = now_s

    def shown_oi(self) -> dict[str, Any]:
        return {
            "beforeV10": {
                "long": str(self.old_long_e10),
                "short": str(self.old_short_e10),
                "max": str(self.max_e10),
            },
            "collateral": {
                "oiLongCollateral": str(self.long_collateral),
                "oiShortCollateral": str(self.short_collateral),
            },
            "token": {"oiLongToken": str(self.long_tokens), "oiShortToken": str(self.short_tokens)},
        }

    def shown_funding(self) -> dict[str, str]:
        return {
            "accFundingFeeLongP": str(self.funding_long_e20),
            "accFundingFeeShortP": str(self.funding_short_e20),
            "lastFundingRatePerSecondP": str(self.funding_rate_e18),
            "lastFundingUpdateTs": str(self.funding_at_s),
        }

    def shown_borrowing(self) -> dict[str, str]:
        return {
            "accBorrowingFeeP": str(self.borrowed_e20),
            "lastBorrowingUpdateTs": str(self.funding_at_s),
        }


class Windows:
    """Volume of one pair by window. A side that nobody traded is the number 0, not a string."""

    _KEPT: Final = 5

    def __init__(self) -> None:
        self._sides: dict[int, list[int]] = {}

    def add(self, window_id: int, *, long: bool, usd_e18: int) -> None:
        sides = self._sides.setdefault(window_id, [0, 0])
        sides[0 if long else 1] += usd_e18
        for old in [old for old in self._sides if old <= window_id - self._KEPT]:
            del self._sides[old]

    def shown(self, window_id: int) -> dict[str, str | int]:
        long, short = self._sides[window_id]
        return {
            "oiLongUsd": str(long) if long else 0,
            "oiShortUsd": str(short) if short else 0,
        }

    def all_shown(self) -> dict[str, dict[str, str | int]]:
        return {str(window_id): self.shown(window_id) for window_id in sorted(self._sides)}


def truncated(numerator: int, denominator: int) -> int:
    """Integer division toward zero, as contracts divide; the denominator is positive."""
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def at_percent(price_e10: int, percent_e10: int) -> int:
    """The price moved by a percentage, in the contract's steps."""
    return price_e10 + truncated(truncated(price_e10 * percent_e10, E10), 100)
