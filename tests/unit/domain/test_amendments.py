from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.amendments import Amendment, amended
from domain.errors import InputError
from domain.ids import MarketId, VenueId
from domain.orders import Brackets, OrderIntent, OrderLeg

LIMIT = OrderIntent(
    MarketId("ETH-USD"), "BUY", "open", "limit", notional_usd=Decimal(1000), leverage=Decimal(5),
    limit_price=Decimal(2000),
)  # fmt: skip
LEG = OrderLeg(
    VenueId("gmx"), 42161, "0x70", "USDC", Decimal(200), Decimal("0.5"), Decimal(1000),
    Decimal(2000), Decimal(2000),
)  # fmt: skip
BY_SIZE = replace(LIMIT, notional_usd=None, size_base=Decimal("0.5"))


def test_another_limit_is_another_guard_at_the_same_notional() -> None:
    intent, leg = amended(LIMIT, LEG, Amendment(limit_price=Decimal(1600)), posted=True)
    assert intent == replace(LIMIT, limit_price=Decimal(1600))
    assert leg == replace(
        LEG, expected_price=Decimal(1600), guard_price=Decimal(1600), size_base=Decimal("0.625")
    )  # fmt: skip


def test_a_size_in_the_base_is_kept_where_the_venue_can() -> None:
    change = Amendment(limit_price=Decimal(1600))
    _, leg = amended(BY_SIZE, LEG, change, posted=True)
    assert (leg.size_base, leg.notional_usd, leg.collateral_amount) == (Decimal("0.5"), 800, 160)
    _, leg = amended(BY_SIZE, LEG, change, posted=True, resizable=False)
    assert (leg.size_base, leg.notional_usd) == (Decimal("0.625"), 1000)


def test_another_size_takes_its_collateral_along_unless_that_is_posted() -> None:
    intent, leg = amended(LIMIT, LEG, Amendment(size_base=Decimal(1)), posted=False)
    assert (leg.size_base, leg.notional_usd, leg.collateral_amount) == (1, 2000, 400)
    assert intent.leverage == 5
    intent, leg = amended(LIMIT, LEG, Amendment(size_base=Decimal(1)), posted=True)
    assert (leg.notional_usd, leg.collateral_amount) == (2000, 200)
    assert (intent.leverage, intent.collateral_amount) == (None, 200)


def test_exits_are_set_changed_and_taken_away() -> None:
    held = replace(LIMIT, brackets=Brackets(Decimal(2500), Decimal(1500)))
    intent, leg = amended(
        held, LEG, Amendment(take_profit=Decimal(0), stop_loss=Decimal(1700)), posted=True
    )
    assert intent.brackets == Brackets(None, Decimal(1700))
    assert leg == LEG


def test_a_later_wish_goes_over_an_earlier_one() -> None:
    earlier = Amendment(limit_price=Decimal(1), stop_loss=Decimal(2))
    later = Amendment(limit_price=Decimal(3), take_profit=Decimal(4))
    assert later.over(earlier) == Amendment(
        Decimal(3), take_profit=Decimal(4), stop_loss=Decimal(2)
    )


@pytest.mark.parametrize(
    ("intent", "change", "code"),
    [
        (LIMIT, {"trigger_price": Decimal(1)}, "NOT_AMENDABLE"),
        (
            replace(LIMIT, type="market", limit_price=None),
            {"limit_price": Decimal(1)},
            "NOT_AMENDABLE",
        ),
        (
            replace(LIMIT, intent="close", side="SELL", leverage=None),
            {"stop_loss": Decimal(1)},
            "NOT_AMENDABLE",
        ),
        (LIMIT, {"size_base": Decimal("1e30")}, "BAD_AMOUNT"),
    ],
)
def test_what_an_order_does_not_have_is_not_changed(
    intent: OrderIntent, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        amended(intent, LEG, Amendment(**change), posted=False)
    assert caught.value.code == code


def test_the_size_stays_where_the_venue_keeps_it() -> None:
    with pytest.raises(InputError, match="keeps the size"):
        amended(LIMIT, LEG, Amendment(size_base=Decimal(1)), posted=True, resizable=False)


@pytest.mark.parametrize("value", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_a_price_is_positive(value: Decimal) -> None:
    with pytest.raises(InputError, match="positive"):
        Amendment(limit_price=value)
    with pytest.raises(InputError, match="nothing"):
        Amendment()
