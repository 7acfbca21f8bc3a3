"""The calendar beyond the moments that the venue's own library was asked for."""

from datetime import datetime

import pytest

from connectors.base.markets import AssetClass
from connectors.gains.economics.hours import HOLIDAYS_UNTIL, is_low_liquidity, is_open

FX, STOCKS, INDICES, COMMODITIES = (
    AssetClass.FX,
    AssetClass.EQUITY,
    AssetClass.INDEX,
    AssetClass.COMMODITY,
)


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def test_crypto_never_closes() -> None:
    assert is_open(AssetClass.CRYPTO, at("2025-12-25T16:00"))


@pytest.mark.parametrize(
    ("asset_class", "utc", "expected"),
    [
        (STOCKS, "2025-12-24T17:59", True),
        (STOCKS, "2025-12-24T18:00", False),
        (INDICES, "2025-12-24T17:14", True),
        (INDICES, "2025-12-24T17:15", False),
        (FX, "2025-12-24T17:44", True),
        (COMMODITIES, "2025-12-24T17:45", False),
        # Daylight time begins and ends on Sundays at two o'clock.
        (FX, "2026-03-06T21:30", True),
        (FX, "2026-03-13T20:30", False),
        (FX, "2026-03-08T20:30", True),
        (FX, "2026-11-01T21:30", False),
        (FX, "2026-11-01T22:00", True),
        (COMMODITIES, "2026-03-18T22:09", False),
        (COMMODITIES, "2026-03-18T22:10", True),
        (COMMODITIES, "2026-03-21T16:00", False),
    ],
)
def test_hours(asset_class: AssetClass, utc: str, expected: bool) -> None:
    assert is_open(asset_class, at(utc)) is expected


def test_two_groups_are_thin_for_longer() -> None:
    assert not is_low_liquidity(at("2026-03-18T19:00"))
    assert is_low_liquidity(at("2026-03-18T19:00"), 8)
    assert not is_low_liquidity(at("2026-03-18T23:30"), 7)
    assert is_low_liquidity(at("2026-03-18T23:30"), 9)


def test_the_table_of_holidays_ends() -> None:
    """Later ones are not known: the flags of the venue are."""
    assert not is_open(STOCKS, at(f"{HOLIDAYS_UNTIL}T15:00"))
    assert is_open(STOCKS, at("2026-12-25T15:00"))
