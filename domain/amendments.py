"""What an order is after its owner changed it. Pure."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from domain import exact
from domain.errors import InputError
from domain.orders import Brackets, OrderIntent, OrderLeg
from domain.routing import guard_price

SIZE_DECIMALS: Final = 18
COLLATERAL_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Amendment:
    """What is to be another from now on; None: as it is. ``take_profit``, ``stop_loss``: 0 for
    none.

    Raises InputError ``BAD_AMOUNT``, and ``NOTHING_CHANGES``.
    """

    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    size_base: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None

    def __post_init__(self) -> None:
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        if all(value is None for value in given.values()):
            raise InputError("NOTHING_CHANGES", "nothing is to be changed")
        for name, value in given.items():
            may_be_none = name in ("take_profit", "stop_loss")
            if value is not None and not (
                value.is_finite() and (value > 0 or (may_be_none and value == 0))
            ):
                raise InputError("BAD_AMOUNT", f"{name} must be a positive number")

    def over(self, earlier: "Amendment") -> "Amendment":
        """Both, where they differ this one."""
        return Amendment(
            *(
                earlier_value if value is None else value
                for value, earlier_value in (
                    (getattr(self, item.name), getattr(earlier, item.name)) for item in fields(self)
                )
            )
        )


def amended(
    intent: OrderIntent,
    leg: OrderLeg,
    change: Amendment,
    *,
    posted: bool,
    resizable: bool = True,
) -> tuple[OrderIntent, OrderLeg]:
    """``posted``: the venue has the order and its collateral, which stays what it is.
    ``resizable``: its size can be changed there all the same; else an order of another price keeps
    its notional.

    Raises InputError ``NOT_AMENDABLE`` for what the order does not have, and what an OrderIntent
    raises.
    """
    _check(intent, change, posted=posted, resizable=resizable)
    brackets = Brackets(
        _bracket(intent.brackets.take_profit, change.take_profit),
        _bracket(intent.brackets.stop_loss, change.stop_loss),
    )
    wanted = replace(
        intent,
        limit_price=change.limit_price or intent.limit_price,
        trigger_price=change.trigger_price or intent.trigger_price,
        brackets=brackets,
    )
    if change.size_base is not None:
        wanted = replace(wanted, size_base=change.size_base, notional_usd=None)
        if posted and wanted.leverage is not None:
            wanted = replace(wanted, leverage=None, collateral_amount=leg.collateral_amount)
    return wanted, _leg(intent, wanted, leg, change, by_notional=posted and not resizable)


def _check(intent: OrderIntent, change: Amendment, *, posted: bool, resizable: bool) -> None:
    if change.limit_price is not None and intent.limit_price is None:
        raise InputError("NOT_AMENDABLE", "the order has no limit_price")
    if change.trigger_price is not None and intent.trigger_price is None:
        raise InputError("NOT_AMENDABLE", "the order has no trigger_price")
    if intent.reduces and (change.take_profit is not None or change.stop_loss is not None):
        raise InputError("NOT_AMENDABLE", "take_profit and stop_loss belong to an opening")
    if change.size_base is not None and posted and not resizable:
        raise InputError("NOT_AMENDABLE", "the venue keeps the size of an order that waits")


def _bracket(before: Decimal | None, wanted: Decimal | None) -> Decimal | None:
    return before if wanted is None else wanted or None


def _leg(
    before: OrderIntent,
    intent: OrderIntent,
    leg: OrderLeg,
    change: Amendment,
    *,
    by_notional: bool,
) -> OrderLeg:
    expected, guard = leg.expected_price, leg.guard_price
    if change.limit_price is not None or change.trigger_price is not None:
        if intent.type != "market":
            expected = intent.trigger_price or intent.limit_price or expected
        guard = guard_price(intent, expected)
    size, notional = leg.size_base, leg.notional_usd
    keeps_size = intent.size_base is not None or intent.reduces
    if change.size_base is not None:
        size = change.size_base
        notional = _decimal(Fraction(size) * Fraction(expected))
    elif expected != leg.expected_price:
        if keeps_size and not (by_notional and not intent.reduces):
            notional = _decimal(Fraction(size) * Fraction(expected))
        else:
            size = _decimal(Fraction(notional) / Fraction(expected))
    collateral = leg.collateral_amount
    if collateral is not None and before.leverage is not None and intent.leverage is not None:
        scaled = Fraction(collateral) * Fraction(notional) / Fraction(leg.notional_usd)
        collateral = exact.decimal(scaled, COLLATERAL_DECIMALS, "up")
    return replace(
        leg,
        collateral_amount=collateral,
        size_base=size,
        notional_usd=notional,
        expected_price=expected,
        guard_price=guard,
    )


def _decimal(value: Fraction) -> Decimal:
    return exact.decimal(value, SIZE_DECIMALS, "down")
