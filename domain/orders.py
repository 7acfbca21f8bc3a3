"""What somebody wants to trade, and the life of an order.

An order's state is never set: it follows from what is known (``domain.outcomes`` and the steps of
its own life), and every change of it stands in ``TRANSITIONS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain.costs import OrderSide
from domain.errors import InputError, InvariantViolation
from domain.ids import MarketId, VenueId

TradeIntent: TypeAlias = Literal["open", "increase", "decrease", "close"]
Intent: TypeAlias = Literal[TradeIntent, "claim"]
"""``claim`` trades nothing: its owner takes out what the venue owes."""

OrderType: TypeAlias = Literal["market", "limit", "stop", "take_profit"]
"""``stop`` and ``take_profit`` wait for a trigger: of an exit they are its stop loss and its take
profit, of an opening ``stop`` is a breakout and ``take_profit`` an entry at a better price."""

TimeInForce: TypeAlias = Literal["GTC", "GTT", "IOC", "FOK"]
PositionSide: TypeAlias = Literal["LONG", "SHORT"]
Approval: TypeAlias = Literal["exact", "unlimited"]
ChainId: TypeAlias = int | str
"""EIP-155 number, or the name of a Cosmos chain."""

MAX_SLIPPAGE_BPS: Final = Decimal(10_000)
_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class Brackets:
    """Exits that are placed with an opening: trigger prices, None for none."""

    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """What is to be traded, whatever the venue.

    One of ``size_base`` and ``notional_usd``; a ``close`` may have neither and means all of it. Of
    an opening one of ``leverage`` and ``collateral_amount`` (units of ``collateral_symbol``). An
    ``increase`` or ``decrease`` with a ``collateral_amount`` and no size changes the margin alone.
    A ``claim`` has no size and may have a ``collateral_amount``: at most so much is taken out.
    ``limit_price``: the fill is never worse. ``trigger_price``: of ``stop`` and ``take_profit``.
    ``good_til_s``: Unix time, of GTT alone. ``position_id``: of our own, for what changes one.

    Raises InputError with the code that says what does not fit.
    """

    market: MarketId
    side: OrderSide
    intent: Intent
    type: OrderType
    size_base: Decimal | None = None
    notional_usd: Decimal | None = None
    leverage: Decimal | None = None
    collateral_symbol: str | None = None
    collateral_amount: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    time_in_force: TimeInForce = "GTC"
    good_til_s: int | None = None
    post_only: bool = False
    reduce_only: bool = False
    brackets: Brackets = Brackets()
    slippage_bps: Decimal = Decimal(50)
    position_id: str | None = None

    def __post_init__(self) -> None:
        for name in _AMOUNTS:
            _positive(name, getattr(self, name))
        _positive("take_profit", self.brackets.take_profit)
        _positive("stop_loss", self.brackets.stop_loss)
        if not self.slippage_bps.is_finite() or not 0 <= self.slippage_bps < MAX_SLIPPAGE_BPS:
            raise InputError("BAD_SLIPPAGE", "slippage is from 0 to less than 10000 bps")
        self._check_size()
        self._check_prices()
        self._check_force()

    def _check_size(self) -> None:
        if self.intent == "claim":
            traded = (self.size_base, self.notional_usd, self.leverage)
            if self.type != "market" or any(value is not None for value in traded):
                raise InputError("BAD_CLAIM", "a claim trades nothing and waits for no price")
            return
        if self.changes_margin:
            if self.type != "market" or self.leverage is not None:
                raise InputError("BAD_COLLATERAL", "margin is changed at once, by an amount")
            return
        sizes = (self.size_base is not None) + (self.notional_usd is not None)
        if sizes > 1 or (sizes == 0 and self.intent != "close"):
            raise InputError("BAD_SIZE", "one of size_base and notional_usd")
        margins = (self.leverage is not None) + (self.collateral_amount is not None)
        if self.intent == "open" and margins != 1:
            raise InputError("BAD_COLLATERAL", "one of leverage and collateral.amount")
        if margins > 1 or (margins and self.reduces):
            raise InputError("BAD_COLLATERAL", "an exit posts no collateral")

    def _check_prices(self) -> None:
        triggered = self.type in ("stop", "take_profit")
        if triggered != (self.trigger_price is not None):
            raise InputError("BAD_TRIGGER", "trigger_price belongs to stop and take_profit")
        if self.type == "limit" and self.limit_price is None:
            raise InputError("BAD_LIMIT", "a limit order has a limit_price")
        if self.brackets != Brackets() and self.reduces:
            raise InputError("BAD_BRACKETS", "take_profit and stop_loss belong to an opening")

    def _check_force(self) -> None:
        if (self.time_in_force == "GTT") != (self.good_til_s is not None):
            raise InputError("BAD_TIME_IN_FORCE", "GTT, and nothing else, has an end")
        if self.type == "market" and self.time_in_force == "GTT":
            raise InputError("BAD_TIME_IN_FORCE", "a market order does not wait")
        if self.post_only and (self.type != "limit" or self.time_in_force in ("IOC", "FOK")):
            raise InputError("BAD_POST_ONLY", "only a limit order that may rest is post_only")
        if self.reduce_only and not self.reduces:
            raise InputError("BAD_REDUCE_ONLY", "an opening does not reduce")

    @property
    def reduces(self) -> bool:
        """Whether it can only make a position smaller, or takes out what is due."""
        return self.intent in ("decrease", "close", "claim")

    @property
    def changes_margin(self) -> bool:
        """Whether only collateral is put to a position, or taken from it."""
        unsized = self.size_base is None and self.notional_usd is None
        changes = self.intent in ("increase", "decrease")
        return changes and unsized and self.collateral_amount is not None

    @property
    def position_side(self) -> PositionSide:
        """Of the position that it opens or changes."""
        return "LONG" if (self.side == "BUY") != self.reduces else "SHORT"


_AMOUNTS: Final = (
    "size_base", "notional_usd", "leverage", "collateral_amount", "limit_price", "trigger_price",
)  # fmt: skip


def _positive(name: str, value: Decimal | None) -> None:
    if value is None:
        return
    if not value.is_finite() or value <= 0 or abs(value.adjusted()) > _DIGITS:
        raise InputError("BAD_AMOUNT", f"{name} must be a positive number of sane size")


@dataclass(frozen=True, slots=True)
class OrderLeg:
    """Where an intent is traded: what a route chose.

    ``pool``: as the venue's connector names it, None at an order book. ``size_base`` and
    ``notional_usd``: what is traded, in both units, 0 where only margin is changed.
    ``collateral_amount``: what is posted, or taken out, units of ``collateral_symbol``; None of an
    exit. ``expected_price``: of the fill, without fees.
    ``guard_price``: the fill may not be worse, whatever happens; None says any price. A builder
    rounds it so that it is never worse than this. ``position_ref``: the venue's own name of the
    position that is changed.
    """

    venue: VenueId
    chain_id: ChainId
    pool: str | None
    collateral_symbol: str
    collateral_amount: Decimal | None
    size_base: Decimal
    notional_usd: Decimal
    expected_price: Decimal
    guard_price: Decimal | None
    position_ref: str | None = None


@dataclass(frozen=True, slots=True)
class PriceGuard:
    """The bound as the venue is told it. ``field``: ``acceptablePrice``, ``maxSlippageP``,
    ``subticks``; ``raw``: its value there; ``price``: what that means, never worse than asked for.
    """

    field: str
    price: Decimal
    raw: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why. ``code``: ours; ``venue_code``: the venue's own word or number."""

    code: str
    message: str
    venue_code: str | None = None


GAS_PRICE: Final = "GAS_PRICE"
RECEIPT_DISPUTED: Final = "RECEIPT_DISPUTED"
PASSING: Final = frozenset({GAS_PRICE, RECEIPT_DISPUTED})
"""Codes of what an order waits for: gas above the limit, nodes that do not tell the same."""


# Life ---------------------------------------------------------------------------------------------

OrderState: TypeAlias = Literal[
    "accepted",
    "prepared",
    "submitted",
    "mined",
    "working",
    "partially_filled",
    "filled",
    "cancelled",
    "expired",
    "rejected",
    "unknown",
    "dead",
]

OrderEvent: TypeAlias = Literal[
    # of our own doing
    "prepared",
    "rerouted",
    "submitted",
    "held",
    "cancel_requested",
    "cancel_refused",
    "update_requested",
    "update_refused",
    "amended",
    "to_sign",
    "doubled",
    "landed_late",
    "withdrawn",
    "expired",
    "rejected",
    "lost",
    "failed",
    "replayed",
    "finalised",
    # of a chain or a venue: domain.outcomes
    "mined",
    "reverted",
    "resting",
    "executed",
    "cancelled",
    "frozen",
    "updated",
    "claimed",
    "kept",
    # a reorganised chain takes one of these back
    "undone",
]

TERMINAL: Final[frozenset[OrderState]] = frozenset(
    {"filled", "cancelled", "expired", "rejected", "dead"}
)
"""Nothing more is tried. Not yet ``final``: a block may go, or a signed payload still land."""

_States: TypeAlias = frozenset[OrderState]


def _one_of(*states: OrderState) -> _States:
    return frozenset(states)


_EVIDENCE: Final[Mapping[OrderEvent, _States]] = {
    # What is known already may say more than what comes now: a fill is often seen before the
    # receipt of our own transaction.
    "mined": _one_of("mined", "working", "partially_filled", "filled", "cancelled", "rejected"),
    "reverted": _one_of("rejected", "mined", "working", "partially_filled", "filled", "cancelled"),
    "resting": _one_of("working", "partially_filled", "filled", "cancelled"),
    "executed": _one_of("partially_filled", "filled", "cancelled"),
    "cancelled": _one_of("cancelled", "filled"),
    "frozen": _one_of("working", "partially_filled", "filled", "cancelled"),
    "updated": _one_of("working", "partially_filled", "filled", "cancelled"),
    "claimed": _one_of("filled"),
}
"""From every state in which a payload may have left us."""

_ENDINGS: Final[Mapping[OrderEvent, _States]] = {
    "withdrawn": _one_of("cancelled"),
    "expired": _one_of("expired"),
    "rejected": _one_of("rejected"),
}


def _changing(state: OrderState) -> Mapping[OrderEvent, _States]:
    """Its owner has other wishes, which do not change how far it is."""
    here = _one_of(state)
    return {
        "cancel_refused": here,
        "update_requested": here,
        "update_refused": here,
        "amended": here,
        "to_sign": here,
    }


_BACK: Final = _one_of(
    "prepared",
    "submitted",
    "mined",
    "working",
    "partially_filled",
    "filled",
    "cancelled",
    "expired",
    "rejected",
    "unknown",
    "dead",
)


def _waiting(state: OrderState, own: Mapping[OrderEvent, _States]) -> Mapping[OrderEvent, _States]:
    """A state that evidence may end."""
    asked = _changing(state)
    here = _one_of(state)
    told: Mapping[OrderEvent, _States] = {
        "undone": _BACK,
        "kept": _BACK,
        "cancel_requested": here,
        "doubled": here,
    }
    return {**_EVIDENCE, **told, **asked, **own}


def _ended(
    state: OrderState, own: Mapping[OrderEvent, _States] | None = None
) -> Mapping[OrderEvent, _States]:
    """A state in which nothing is done any more, and which evidence may still prove wrong. What was
    asked for before may be told now."""
    here = _one_of(state)
    told: Mapping[OrderEvent, _States] = {
        "finalised": here,
        "update_refused": here,
        "amended": here,
        "to_sign": here,
        "doubled": here,
        "landed_late": here,
    }
    return {**_EVIDENCE, "undone": _BACK, "kept": _BACK, **told, **(own or {})}


TRANSITIONS: Final[Mapping[OrderState, Mapping[OrderEvent, _States]]] = {
    "accepted": {
        "prepared": _one_of("prepared"),
        "rerouted": _one_of("accepted"),
        "held": _one_of("accepted"),
        "cancel_requested": _one_of("accepted"),
        **_changing("accepted"),
        "failed": _one_of("dead"),
        **_ENDINGS,
    },
    "prepared": _waiting(
        "prepared",
        {
            "prepared": _one_of("prepared"),
            "submitted": _one_of("submitted"),
            "held": _one_of("prepared"),
            "failed": _one_of("dead"),
            **_ENDINGS,
        },
    ),
    "submitted": _waiting(
        "submitted",
        {
            "submitted": _one_of("submitted"),
            "held": _one_of("submitted"),
            "lost": _one_of("unknown"),
            **_ENDINGS,
        },
    ),
    "mined": _waiting("mined", {"lost": _one_of("unknown")}),
    "working": _waiting("working", {"lost": _one_of("unknown")}),
    "partially_filled": _waiting("partially_filled", {"lost": _one_of("unknown")}),
    "unknown": _waiting(
        "unknown", {"submitted": _one_of("submitted"), "held": _one_of("unknown"), **_ENDINGS}
    ),
    "filled": _ended("filled"),
    "cancelled": _ended("cancelled"),
    "expired": _ended("expired"),
    "rejected": _ended("rejected"),
    "dead": _ended("dead", {"replayed": _one_of("accepted", "prepared")}),
}
"""What may follow an event in a state. A pair that is not here does not happen."""


def check_transition(state: OrderState, event: OrderEvent, then: OrderState) -> None:
    """Raises InvariantViolation ``ILLEGAL_TRANSITION``."""
    if then not in TRANSITIONS[state].get(event, ()):
        raise InvariantViolation("ILLEGAL_TRANSITION", f"{state} -{event}-> {then}")


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """One that may still change, as far as what a venue says is matched with it. ``owner``: in
    lower case. ``tag``: of its calldata. ``refs``: its names at the venue."""

    id: str
    venue: VenueId
    owner: str
    tag: bytes
    state: OrderState
    refs: Mapping[str, str]
