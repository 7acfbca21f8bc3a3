"""When a class of markets should be open, in New York time.

The venue's own flags decide whether a market is open; this calendar explains them and says what is
to come. Holidays are known as far as the venue published them, see ``HOLIDAYS_UNTIL``.
Source: @gainsnetwork/sdk 1.8.7 isForexOpen, isStocksOpen, isIndicesOpen, isCommoditiesOpen and
isForexLowLiquidity; its src/markets/schedules/holidays.ts.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

from connectors.base.markets import AssetClass

_Minutes: TypeAlias = tuple[int, int]
"""Minutes of a day, from and until."""

_DAY: Final = 24 * 60
_FRIDAY, _SATURDAY, _SUNDAY = 5, 6, 7
_MORNING: Final[_Minutes] = (9 * 60 + 30, 13 * 60)
_CLOSED: Final[_Minutes] = (0, 0)
_LONG_QUIET_GROUPS: Final = frozenset({8, 9})

HOLIDAYS_UNTIL: Final = date(2026, 4, 3)
"""The last holiday in the table."""

_HOLIDAYS: Final[dict[date, _Minutes]] = {
    date(2025, 5, 26): _CLOSED,
    date(2025, 6, 19): _CLOSED,
    date(2025, 7, 3): _MORNING,
    date(2025, 7, 4): _CLOSED,
    date(2025, 9, 1): _CLOSED,
    date(2025, 11, 27): _CLOSED,
    date(2025, 11, 28): _MORNING,
    date(2025, 12, 25): _CLOSED,
    date(2026, 1, 1): _CLOSED,
    date(2026, 1, 19): _CLOSED,
    date(2026, 2, 16): _CLOSED,
    date(2026, 4, 3): _CLOSED,
}

_CHRISTMAS_EVE: Final = date(2025, 12, 24)
_CHRISTMAS_EVE_HOURS: Final[dict[AssetClass, _Minutes]] = {
    AssetClass.EQUITY: _MORNING,
    AssetClass.INDEX: (9 * 60 + 30, 12 * 60 + 15),
    AssetClass.COMMODITY: (0, 12 * 60 + 45),
    AssetClass.FX: (0, 12 * 60 + 45),
}


def is_open(asset_class: AssetClass, utc_s: int) -> bool:
    """Whether markets of a class should trade at a time. Crypto always does."""
    if asset_class is AssetClass.CRYPTO:
        return True
    local, daylight = _new_york(utc_s)
    day, minute = local.isoweekday(), local.hour * 60 + local.minute
    holiday = _HOLIDAYS.get(local.date())
    if local.date() == _CHRISTMAS_EVE:
        holiday = _CHRISTMAS_EVE_HOURS[asset_class]
    start, end = _hours(asset_class, day, daylight=daylight) if holiday is None else holiday
    if not start <= minute < end:
        return False
    pause = asset_class is AssetClass.COMMODITY and 17 * 60 <= minute < 18 * 60 + 10
    return holiday is not None or not pause


def _hours(asset_class: AssetClass, day: int, *, daylight: bool) -> _Minutes:
    if day == _SATURDAY:
        return _CLOSED
    if asset_class in (AssetClass.EQUITY, AssetClass.INDEX):
        return _CLOSED if day == _SUNDAY else (9 * 60 + 35, 16 * 60)
    if asset_class is AssetClass.FX:
        start = end = 16 * 60 if daylight else 17 * 60
    else:
        start, end = 18 * 60 + 10, 17 * 60
    return start if day == _SUNDAY else 0, end if day == _FRIDAY else _DAY


def is_low_liquidity(utc_s: int, group: int | None = None) -> bool:
    """Whether forex should be thinly traded, longer for two of its groups of pairs."""
    local, daylight = _new_york(utc_s)
    longer = group in _LONG_QUIET_GROUPS
    shift = 60 if daylight else 0
    start = (15 if longer else 16) * 60 + 45 - shift
    end = (22 if longer else 20) * 60 - shift
    minute = local.hour * 60 + local.minute
    return local.isoweekday() != _SATURDAY and start <= minute < end


def _new_york(utc_s: int) -> tuple[datetime, bool]:
    """Local time, and whether it is daylight time: from the second Sunday of March to the first of
    November, each from two o'clock on."""
    moment = datetime.fromtimestamp(utc_s, UTC)
    begin = _sunday(moment.year, 3, 2) + timedelta(hours=7)
    end = _sunday(moment.year, 11, 1) + timedelta(hours=6)
    daylight = begin <= moment < end
    return moment - timedelta(hours=4 if daylight else 5), daylight


def _sunday(year: int, month: int, which: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(_SUNDAY - first.isoweekday()) % 7 + 7 * (which - 1))
