"""What the contracts' events mean for orders, in words that all venues share. Pure.

A fill is one change of a position: GMX executes an order as a whole or not at all. Its fees are an
event of their own in the same transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from connectors.base.orders import ChainLog
from connectors.gmx import constants as c
from connectors.gmx.addresses import address
from connectors.gmx.economics.checks import OrderType
from connectors.gmx.economics.opened import PoolToken
from connectors.gmx.eventlog import Log
from connectors.gmx.orders import event_values
from connectors.gmx.orders import events as e
from connectors.gmx.orders.events import (
    FeesCollected,
    OrderCancelled,
    OrderCreated,
    OrderEvent,
    OrderFrozen,
    OrderUpdated,
    PositionChanged,
)
from connectors.gmx.orders.prices import price_of
from connectors.gmx.orders.reads import ORDER_KEY, STOP_LOSS_KEY, TAKE_PROFIT_KEY
from connectors.gmx.orders.tables import Tables
from domain import orders as d
from domain.errors import InputError, VenueProtocolError
from domain.outcomes import (
    Cancelled,
    Claimed,
    ClaimKind,
    Costs,
    Executed,
    Frozen,
    Kept,
    Resting,
    Updated,
    VenueOutcome,
)

TOPICS: Final = tuple(bytes.fromhex(topic[2:]) for topic in event_values.TOPICS)

_BY_USER: Final = "USER_INITIATED_CANCEL"
_USD_DECIMALS: Final = 30
_KINDS: Final = frozenset(c.EVENT_KINDS.values())
_FeeKey: TypeAlias = tuple[str, str, str]
_CloseKey: TypeAlias = tuple[str, str, str, str]


class _Beside(NamedTuple):
    """What explains other events of its transaction."""

    fees: Mapping[_FeeKey, FeesCollected]
    changes: Mapping[_CloseKey, PositionChanged]


_TYPES: Final[Mapping[OrderType, tuple[d.OrderType, bool]]] = {
    OrderType.MARKET_INCREASE: ("market", False),
    OrderType.LIMIT_INCREASE: ("limit", False),
    OrderType.STOP_INCREASE: ("stop", False),
    OrderType.MARKET_DECREASE: ("market", True),
    OrderType.LIMIT_DECREASE: ("take_profit", True),
    OrderType.STOP_LOSS_DECREASE: ("stop", True),
}
"""And whether it reduces. A limit that reduces is a take profit to the contracts."""


def events(tables: Tables, logs: Sequence[ChainLog]) -> Iterator[OrderEvent]:
    """The contracts' events of orders in these logs, in their order; logs of others are skipped.

    Raises: VenueProtocolError ``BAD_EVENT`` for one that cannot be read.
    """
    emitter = tables.contracts["EVENT_EMITTER"].lower()
    for log in logs:
        if log.chain_id != tables.chain_id or log.address.lower() != emitter:
            continue
        if not log.topics or _hex(log.topics[0]) not in _KINDS:
            continue
        try:
            found = event_values.read(_log(log), log.chain_id)
        except InputError as error:
            where = f"log {log.log_index} of {log.tx_hash}"
            raise VenueProtocolError("BAD_EVENT", f"{where}: {error.message}") from None
        if found is not None:
            yield found


def decode(tables: Tables, logs: Sequence[ChainLog]) -> Sequence[VenueOutcome]:
    """See ``OrderBuilder.decode``. Swaps are none of ours, nor are pools that nobody lists. The
    logs of a transaction have to come together."""
    found = list(events(tables, logs))
    seen = _Beside(
        {_fee_key(event): event for event in found if isinstance(event, FeesCollected)},
        {_close_key(event): event for event in found if isinstance(event, PositionChanged)},
    )
    outcomes = (_outcome(tables, event, seen) for event in found)
    return [outcome for outcome in outcomes if outcome is not None]


def refs_of(outcome: VenueOutcome) -> Mapping[str, str]:
    """The order's own name, that of each of its exits, and the position's."""
    if isinstance(outcome, Executed):
        return {"position_key": outcome.position_ref} if outcome.position_ref else {}
    if not isinstance(outcome, Resting):
        return {}
    if outcome.reduces and outcome.type == "take_profit":
        return {TAKE_PROFIT_KEY: outcome.ref}
    if outcome.reduces and outcome.type == "stop":
        return {STOP_LOSS_KEY: outcome.ref}
    return {ORDER_KEY: outcome.ref}


def _outcome(tables: Tables, event: OrderEvent, seen: _Beside) -> VenueOutcome | None:
    if isinstance(event, PositionChanged):
        return _executed(tables, event, seen.fees.get(_fee_key(event)))
    if isinstance(event, e.Claimed):
        return _claimed(tables, event)
    if isinstance(event, e.Claimable):
        return _kept(tables, event, seen.changes.get(_close_key(event)))
    if isinstance(event, OrderCreated):
        return _resting(tables, event)
    if isinstance(event, OrderCancelled):
        account = address(event.account)
        by_user = event.reason.name == _BY_USER
        return Cancelled(event.place, account, event.order_key, event.reason.told, by_user)
    if isinstance(event, OrderFrozen):
        account = address(event.account)
        return Frozen(event.place, account, event.order_key, event.reason.told, needs_update=True)
    if isinstance(event, OrderUpdated):
        return Updated(event.place, address(event.account), event.order_key)
    return None


def _resting(tables: Tables, event: OrderCreated) -> Resting | None:
    pool = tables.pools.get(event.market)
    if pool is None or event.order_type not in _TYPES:
        return None
    kind, reduces = _TYPES[event.order_type]
    trigger = price_of(event.trigger_usd_e30, pool.decimals) if event.trigger_usd_e30 else None
    return Resting(event.place, address(event.account), event.order_key, kind, reduces, trigger)


def _executed(
    tables: Tables, event: PositionChanged, fees: FeesCollected | None
) -> Executed | None:
    pool = tables.pools.get(event.market)
    if pool is None:
        return None
    return Executed(
        event.place,
        account=address(event.account),
        ref=event.order_key,
        price=price_of(event.price_usd_e30, pool.decimals),
        size_base=Decimal(f"{event.size_units}E-{pool.decimals}"),
        completes=True,
        costs=_costs(event, fees),
        position_ref=event.position_key,
        pnl_usd=None if event.is_increase else _usd(event.pnl_usd_e30),
    )


def _claimed(tables: Tables, event: e.Claimed) -> Claimed | None:
    token = _token(tables, event.market, event.token)
    if token is None:
        return None
    kind: ClaimKind = "funding" if event.time_key is None else "impact"
    # They have no name of their own: a transaction pays what it was sent for.
    return Claimed(
        event.place,
        address(event.account),
        f"claim:{event.place.tx_hash}",
        kind,
        token.symbol,
        Decimal(f"{event.units}E-{token.decimals}"),
    )


def _kept(tables: Tables, event: e.Claimable, change: PositionChanged | None) -> Kept | None:
    """Of collateral alone: how much funding there is is asked of the chain. It belongs to the
    change of the position that it is told with."""
    token = _token(tables, event.market, event.token)
    if token is None or change is None or event.time_key is None:
        return None
    return Kept(
        event.place,
        address(event.account),
        change.order_key,
        f"{event.token}:{event.time_key}",
        token.symbol,
        Decimal(f"{event.units}E-{token.decimals}"),
    )


def _token(tables: Tables, market: str, token: str) -> PoolToken | None:
    pool = tables.pools.get(market)
    found = () if pool is None else (pool.long_token, pool.short_token)
    return next((item for item in found if item.address == token), None)


def _costs(event: PositionChanged, fees: FeesCollected | None) -> Costs:
    """Fees are counted at the collateral's minimum price, as the contracts do. The impact is that
    of this change, which is in the price of the fill; of what opening left, the close settles a
    share (``PositionChanged.settled_impact_usd_e30``)."""
    impact = _usd(-event.impact_usd_e30)
    if fees is None:
        return Costs(impact_usd=impact)
    fee_units = fees.position_units + fees.ui_units + fees.liquidation_units
    return Costs(
        fee_usd=_usd(fees.usd_e30(fee_units)),
        impact_usd=impact,
        funding_usd=_usd(fees.usd_e30(fees.funding_units)),
        borrowing_usd=_usd(fees.usd_e30(fees.borrowing_units)),
    )


def _usd(value_e30: int) -> Decimal:
    return Decimal(f"{value_e30}E-{_USD_DECIMALS}")


def _close_key(event: e.Claimable | PositionChanged) -> _CloseKey:
    return event.place.block_hash, event.place.tx_hash, event.account, event.market


def _fee_key(event: FeesCollected | PositionChanged) -> _FeeKey:
    return event.place.block_hash, event.place.tx_hash, event.order_key


def _log(log: ChainLog) -> Log:
    return Log(
        address=log.address.lower(),
        topics=tuple(_hex(topic) for topic in log.topics),
        data=log.data,
        block=log.block_number,
        block_hash=log.block_hash,
        transaction=log.tx_hash,
        index=log.log_index,
        removed=False,
    )


def _hex(data: bytes) -> str:
    return f"0x{data.hex()}"
