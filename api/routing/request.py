"""The body of ``POST /v1/routes``: what is asked for, checked field by field. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, get_args

from api.problems import Invalid, Issue
from domain.costs import OrderSide
from domain.errors import InputError
from domain.orders import Brackets, Intent, OrderIntent, OrderType, TimeInForce
from domain.splits import MAX_LEGS

MAX_USD: Final = 100_000_000
MAX_HOURS: Final = 8760
MAX_LISTED: Final = 16
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9._:-]{1,80}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """``venues`` and ``chain_ids``: where it may go, None: anywhere. ``chain_ids`` as texts.
    ``holding_hours``: None where nobody said how long."""

    intent: OrderIntent
    venues: frozenset[str] | None
    chain_ids: frozenset[str] | None
    holding_hours: Decimal | None
    max_legs: int


def parse(body: Mapping[str, Any]) -> RouteRequest:
    """Raises Invalid, which names every field that is wrong."""
    fields = _Fields(body)
    collateral = fields.take("collateral", _object) or {}
    inner = _Fields(collateral, "collateral.")
    amount, symbol = inner.take("amount", _amount), inner.take("symbol", _name)
    given: dict[str, Any] = {
        "market": fields.take("market", _name, required=True),
        "side": fields.take("side", _one_of(OrderSide), required=True),
        "intent": fields.take("intent", _one_of(Intent), required=True),
        "type": fields.take("type", _one_of(OrderType), required=True),
        "time_in_force": fields.take("time_in_force", _one_of(TimeInForce)) or "GTC",
        "good_til_s": fields.take("good_til", _seconds),
        "position_id": fields.take("position_id", _name),
        "collateral_symbol": symbol,
        "collateral_amount": amount,
        "post_only": fields.take("post_only", _flag) or False,
        "reduce_only": fields.take("reduce_only", _flag) or False,
    }
    for name in ("size_base", "notional_usd", "leverage", "limit_price", "trigger_price"):
        given[name] = fields.take(name, _amount)
    slippage = fields.take("slippage_bps", _amount)
    if slippage is not None:
        given["slippage_bps"] = slippage
    brackets = Brackets(fields.take("take_profit", _amount), fields.take("stop_loss", _amount))
    places = fields.take("venues", _names), fields.take("chain_ids", _chains)
    hours = fields.take("holding_hours", _hours)
    legs = fields.take("max_legs", _legs) or 1
    issues = fields.done() + inner.done()
    if issues:
        raise Invalid(issues[:20])
    try:
        intent = OrderIntent(**given, brackets=brackets)
    except InputError as error:
        raise Invalid([Issue("body", error.code, error.message)]) from None
    if intent.notional_usd is not None and intent.notional_usd > MAX_USD:
        issue = Issue("body.notional_usd", "OUT_OF_RANGE", f"at most {MAX_USD}")
        raise Invalid([issue])
    return RouteRequest(intent, *places, hours, legs)


class _Fields:
    """Takes fields one by one, and says in the end what is wrong and what nobody asked for."""

    def __init__(self, body: Mapping[str, Any], prefix: str = "") -> None:
        self._rest = dict(body)
        self._prefix = prefix
        self._issues: list[Issue] = []

    def take(self, name: str, read: Callable[[Any], Any], *, required: bool = False) -> Any:
        value = self._rest.pop(name, None)
        if value is None:
            if required:
                self._wrong(name, "MISSING", "required")
            return None
        try:
            return read(value)
        except ValueError as error:
            self._wrong(name, "BAD_VALUE", str(error))
            return None

    def done(self) -> list[Issue]:
        for name in self._rest:
            shown = name[:60].encode("ascii", "backslashreplace").decode()
            self._wrong(shown, "UNKNOWN_FIELD", "unknown field")
        return self._issues

    def _wrong(self, name: str, code: str, message: str) -> None:
        self._issues.append(Issue(f"body.{self._prefix}{name}", code, message))


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("expected a JSON string")
    return value


def _amount(value: Any) -> Decimal:
    if not _AMOUNT.fullmatch(_text(value)):
        raise ValueError("a plain decimal of at most 18 digits before and after the point")
    return Decimal(value)


def _name(value: Any) -> str:
    if not _NAME.fullmatch(_text(value)):
        raise ValueError("at most 80 letters, digits and ._:-")
    return _text(value)


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("true or false")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")
    return value


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LISTED:
        raise ValueError(f"a list of 1 to {MAX_LISTED}")
    return value


def _names(value: Any) -> frozenset[str]:
    return frozenset(_name(item) for item in _listed(value))


def _chains(value: Any) -> frozenset[str]:
    """Numbers, or names of Cosmos chains."""
    return frozenset(
        str(item) if type(item) is int and item > 0 else _name(item) for item in _listed(value)
    )


def _hours(value: Any) -> Decimal:
    hours = Decimal(value) if type(value) is int else _amount(value)
    if not 0 <= hours <= MAX_HOURS:
        raise ValueError(f"from 0 to {MAX_HOURS}")
    return hours


def _legs(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_LEGS:
        raise ValueError(f"from 1 to {MAX_LEGS}")
    return value


def _seconds(value: Any) -> int:
    if type(value) is not int or not 0 < value < 2**32:
        raise ValueError("seconds since 1970")
    return value


def _one_of(alias: Any) -> Callable[[Any], str]:
    known = get_args(alias)

    def read(value: Any) -> str:
        if _text(value) not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return _text(value)

    return read
