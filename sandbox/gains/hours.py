"""When a class of pairs is open: New York time, without holidays, or as the control endpoint says.

The rules of daylight time are written out, so that a host without a time zone database has the
same hours."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

CLASSES: Final = ("forex", "stocks", "indices", "commodities")

_SUNDAY: Final = 6
_FRIDAY: Final = 4
_STANDARD: Final = timedelta(hours=-5)
_DAYLIGHT: Final = timedelta(hours=-4)


def open_classes(now_us: int) -> dict[str, bool]:
    """``{"forex": True, ...}`` for each of CLASSES. Crypto is always open."""
    return {name: is_open(name, now_us) for name in CLASSES}


def is_open(asset_class: str, now_us: int) -> bool:
    """True when pairs of the class trade; ``now_us`` is microseconds since 1970."""
    utc = datetime.fromtimestamp(now_us // 1_000_000, UTC)
    daylight = _is_daylight(utc)
    local = utc + (_DAYLIGHT if daylight else _STANDARD)
    minute = local.hour * 60 + local.minute
    weekday = local.weekday()
    match asset_class:
        case "forex":
            return _in_week(weekday, minute, opens=960 if daylight else 1020)
        case "stocks" | "indices":
            return weekday <= _FRIDAY and 575 <= minute < 960
        case "commodities":
            rests = 1020 <= minute < 1090
            return not rests and _in_week(weekday, minute, opens=1090, closes=1020)
        case _:
            return True


class MarketHours:
    """The hours by the clock, save for the classes that are held open or closed."""

    def __init__(self) -> None:
        self._held: dict[str, bool] = {}

    def hold(self, classes: Mapping[str, bool | None]) -> None:
        """True holds a class open, False holds it closed, None gives it back to the clock."""
        for name, is_open in classes.items():
            if is_open is None:
                self._held.pop(name, None)
            else:
                self._held[name] = is_open

    def open_classes(self, now_us: int) -> dict[str, bool]:
        return open_classes(now_us) | self._held

    def is_open(self, asset_class: str, now_us: int) -> bool:
        held = self._held.get(asset_class)
        return is_open(asset_class, now_us) if held is None else held


def _in_week(weekday: int, minute: int, *, opens: int, closes: int | None = None) -> bool:
    """From Sunday ``opens`` to Friday ``closes``, in minutes of the day; one time for both when
    only one is given."""
    if weekday == _SUNDAY:
        return minute >= opens
    if weekday == _FRIDAY:
        return minute < (opens if closes is None else closes)
    return weekday < _FRIDAY


def _is_daylight(utc: datetime) -> bool:
    """Second Sunday of March to first Sunday of November, each at 2:00 of the clock before."""
    start = datetime.combine(_sunday(utc.year, 3, 2), datetime.min.time(), UTC)
    end = datetime.combine(_sunday(utc.year, 11, 1), datetime.min.time(), UTC)
    return start + timedelta(hours=7) <= utc < end + timedelta(hours=6)


def _sunday(year: int, month: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(_SUNDAY - first.weekday()) % 7 + 7 * (nth - 1))
