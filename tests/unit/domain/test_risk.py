"""Openings can be stopped and bounded; exits cannot."""

from decimal import Decimal

import pytest

from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from domain.risk import Limits, refusal

GMX = VenueId("gmx")
OPEN = OrderIntent(
    MarketId("BTC-USD"), "BUY", "open", "market", notional_usd=Decimal(1000), leverage=Decimal(2)
)
CLOSE = OrderIntent(MarketId("BTC-USD"), "SELL", "close", "market")
LEG = OrderLeg(
    GMX, 42161, "0x1", "USDC", Decimal(500), Decimal("0.01"), Decimal(1000), Decimal(100_000), None
)
STRICT = Limits(
    stopped=True,
    stopped_venues=frozenset({GMX}),
    max_notional_usd=Decimal(1),
    venue_notional_usd={GMX: Decimal(1)},
)


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        (None, Limits()),
        ("OPENINGS_STOPPED", Limits(stopped=True)),
        ("VENUE_STOPPED", Limits(stopped_venues=frozenset({GMX}))),
        (None, Limits(stopped_venues=frozenset({VenueId("gains")}))),
        ("MAX_NOTIONAL", Limits(max_notional_usd=Decimal("999.99"))),
        (None, Limits(max_notional_usd=Decimal(1000))),
        ("MAX_NOTIONAL", Limits(venue_notional_usd={GMX: Decimal(999)})),
        ("MAX_NOTIONAL",
         Limits(max_notional_usd=Decimal(999), venue_notional_usd={GMX: Decimal(5000)})),
        (None, Limits(venue_notional_usd={VenueId("gains"): Decimal(1)})),
    ],
)  # fmt: skip
def test_openings(code: str | None, limits: Limits) -> None:
    found = refusal(OPEN, LEG, limits)
    assert (found and found.code) == code


def test_nobody_is_locked_in() -> None:
    assert refusal(OPEN, LEG, STRICT) is not None
    assert refusal(CLOSE, LEG, STRICT) is None
