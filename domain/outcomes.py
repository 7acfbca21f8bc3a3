"""What a venue or its chain says has become of orders. Only these change what an order has done.

Each has a place, by which it is known again: told twice it counts once, and a chain that is
reorganised takes it back by that place.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from domain.orders import OrderType, Reason


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where something happened. ``log_index``: within the block; -1 says the transaction itself,
    and -2 - n what log n did to another order than its own.

    Key: (``chain_id``, ``block_hash``, ``tx_hash``, ``log_index``). At a venue whose blocks do not
    come back ``block_hash`` is empty and ``tx_hash`` its own id of the event.
    """

    chain_id: int | str
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Mined:
    """Our transaction is in a block and succeeded. No fill."""

    place: EventPlace


@dataclass(frozen=True, slots=True)
class Reverted:
    """Our transaction is in a block and did nothing."""

    place: EventPlace
    reason: Reason


@dataclass(frozen=True, slots=True)
class Resting:
    """The venue has the request. ``account``: whose, checksummed. ``ref``: the venue's own name of
    the order, by which all further ones say which they mean. ``reduces``: it is an exit.
    ``trigger_price``: as the venue stores it, which may be another than was asked for; None where
    it does not say.

    One transaction may bring several: the first is the order, the others its brackets.
    """

    place: EventPlace
    account: str
    ref: str
    type: OrderType
    reduces: bool
    trigger_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """What a fill cost, USD, positive = paid; None where the venue does not say.

    ``impact_usd``: against the oracle price of the fill. ``funding_usd``, ``borrowing_usd``: what
    the position owed until then.
    """

    fee_usd: Decimal | None = None
    impact_usd: Decimal | None = None
    funding_usd: Decimal | None = None
    borrowing_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Executed:
    """A fill, or a change of margin alone, whose size and price are 0. ``price``: quote currency,
    without fees. ``completes``: nothing is left of the order.
    ``position_ref``: the position's own name at the venue from now on. ``pnl_usd``: realised."""

    place: EventPlace
    account: str
    ref: str
    price: Decimal
    size_base: Decimal
    completes: bool
    costs: Costs = Costs()
    position_ref: str | None = None
    pnl_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The venue dropped what was left. ``by_user``: as asked for. ``kept_collateral``: what it
    charged for that, units of the collateral; None where it does not say."""

    place: EventPlace
    account: str
    ref: str
    reason: Reason
    by_user: bool
    kept_collateral: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A try to execute failed and the order still stands. ``needs_update``: it is not tried again
    before its owner changes it."""

    place: EventPlace
    account: str
    ref: str
    reason: Reason
    needs_update: bool


@dataclass(frozen=True, slots=True)
class Updated:
    """The order stands with other prices or another size; None: as before."""

    place: EventPlace
    account: str
    ref: str
    size_base: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None


ClaimKind: TypeAlias = Literal["funding", "impact", "profit"]
"""Funding that a position earned, what a cap on impact kept back, profit of one that stays open."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was due is with its owner. ``amount``: units of the token ``symbol``; 0 where something
    else had taken it before. One transaction may bring several with one ``ref``."""

    place: EventPlace
    account: str
    ref: str
    kind: ClaimKind
    symbol: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Kept:
    """Of what an order closed the venue kept something back, to be claimed later. ``key``: by what
    the venue knows it; ``amount``: units of the token ``symbol``."""

    place: EventPlace
    account: str
    ref: str
    key: str
    symbol: str
    amount: Decimal


VenueOutcome: TypeAlias = Resting | Executed | Cancelled | Frozen | Updated | Claimed | Kept
"""Decoded from the venue's own events."""

Outcome: TypeAlias = Mined | Reverted | VenueOutcome
