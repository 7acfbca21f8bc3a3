"""An order that waits, and its exits, into what they are to be. Pure.

They are separate orders to the contracts: each is updated, created or cancelled by itself, in one
transaction.
"""

from collections.abc import Iterator, Sequence

from connectors.gmx.orders.calls import Call, CancelOrder, CreateOrder, SendWnt, UpdateOrder
from connectors.gmx.orders.prices import MAX_UINT
from connectors.gmx.orders.reader import StoredOrder, StoredPosition
from domain.errors import InputError


def calls(waiting: Sequence[StoredOrder], wanted: Sequence[CreateOrder], vault: str) -> list[Call]:
    """``waiting``: what there is, each of another type. ``wanted``: what there is to be, with the
    keepers' fees of today. What comes into the vault belongs to the call behind it.

    Raises: InputError ``NOTHING_CHANGES``.
    """
    left = {order.order_type: order for order in waiting}
    sent: list[Call] = []
    for order in wanted:
        stored = left.pop(order.order_type, None)
        if stored is None:
            sent += [SendWnt(vault, order.execution_fee_wei), order]
        elif stored.is_frozen or _differs(stored, order):
            sent += _updated(stored, order, vault)
    sent += [CancelOrder(_key(order)) for order in left.values()]
    if not sent:
        raise InputError("NOTHING_CHANGES", "the order is so already")
    return sent


def replaced(
    waiting: Sequence[StoredOrder], exit_order: CreateOrder, held: StoredPosition | None
) -> list[CancelOrder]:
    """Of a position there is one take profit and one stop loss that closes all of it: a new one
    takes the place of those that were placed before, also with the entry.

    ``waiting``: all of the account; those that close a part stay.
    """
    if held is None or exit_order.size_usd_e30 < MAX_UINT:
        return []
    place = (exit_order.market, exit_order.collateral_token, exit_order.is_long)
    return [
        CancelOrder(_key(order))
        for order in waiting
        if order.order_type is exit_order.order_type
        and (order.market, order.collateral_token, order.is_long) == place
        and order.size_usd_e30 >= held.size_usd_e30
    ]


def _updated(stored: StoredOrder, wanted: CreateOrder, vault: str) -> Iterator[Call]:
    # A frozen order has nothing left of its fee, and gas may cost more than it did.
    missing = wanted.execution_fee_wei - stored.execution_fee_wei
    if missing > 0:
        yield SendWnt(vault, missing)
    yield UpdateOrder(
        _key(stored),
        wanted.size_usd_e30,
        wanted.acceptable_usd_e30,
        wanted.trigger_usd_e30,
        stored.min_output,
        stored.valid_from_s,
        stored.auto_cancel,
    )


def _differs(stored: StoredOrder, wanted: CreateOrder) -> bool:
    return (stored.size_usd_e30, stored.acceptable_usd_e30, stored.trigger_usd_e30) != (
        wanted.size_usd_e30,
        wanted.acceptable_usd_e30,
        wanted.trigger_usd_e30,
    )


def _key(stored: StoredOrder) -> bytes:
    return bytes.fromhex(stored.key[2:])
