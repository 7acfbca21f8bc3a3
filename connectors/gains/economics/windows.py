"""The windows in which a pair remembers the size of recent trades."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from connectors.gains.economics.scales import E10


@dataclass(frozen=True, slots=True)
class Windows:
    """Length and count of the windows that a trade's size is remembered for; times in seconds.

    Nothing fades inside a window: its volume counts in full until it is ``count`` windows old.
    Source: PriceImpactUtils.getPriceImpactOi, v10.2.
    """

    start_s: int
    duration_s: int
    count: int

    def current(self, now_s: int) -> int:
        return (now_s - self.start_s) // self.duration_s

    def volume(self, sizes: Mapping[int, int], now_s: int) -> int:
        """Sum over the windows that count now, of sizes by window id."""
        last = self.current(now_s)
        return sum(size for window, size in sizes.items() if last - self.count < window <= last)


class WindowVolume(NamedTuple):
    """What a trade adds to the current window of its pair. ``long``: to which of the two sums."""

    long: bool
    usd_e18: int


def added_volume(
    size_usd_e18: int,
    *,
    long: bool,
    opening: bool,
    positive_pnl: bool = False,
    negative_multiplier_e10: int = E10,
) -> WindowVolume:
    """Volume of an opening, increase, decrease or close; a change of leverage alone adds none.

    A close or decrease whose raw PnL is not positive counts for ``negative_multiplier_e10`` of it.
    Source: PriceImpactUtils.addPriceImpactOpenInterest, v10.2.
    """
    multiplier_e10 = E10 if opening or positive_pnl else negative_multiplier_e10
    return WindowVolume(long is opening, size_usd_e18 * multiplier_e10 // E10)
