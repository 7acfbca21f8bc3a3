"""Whether a transaction is the step it claims to be, and where it is not. Pure."""

from collections.abc import Iterator

from connectors.base import erc20
from connectors.base.abi import SELECTOR_BYTES, differences
from connectors.base.orders import TAG_BYTES, Step, Transaction, differing_field
from connectors.gains.orders.abi import FUNCTIONS
from domain.errors import InputError

_BY_SELECTOR = {function.selector: function for function in FUNCTIONS.values()}


def differing(step: Step, transaction: Transaction) -> str | None:
    """The first field that differs, inside the calldata in the contract's names: ``to``,
    ``value``, ``data.openTrade._trade.leverage``, ``data.multicall[1].closeTradeMarket._index``,
    ``data.tag``; ``data`` where it is no such call at all. None for the step itself."""
    field = differing_field(step, transaction)
    if field != "data":
        return field
    ours, theirs = step.data[:-TAG_BYTES], transaction.data[:-TAG_BYTES]
    if ours in (theirs, transaction.data):
        # Another tag, or none.
        return "data.tag"
    return next(_differences("data", ours, theirs), "data")


def _differences(path: str, ours: bytes, theirs: bytes) -> Iterator[str]:
    """Nothing where the two are not calls of one function, or nothing but their spelling
    differs."""
    selector = ours[:SELECTOR_BYTES]
    function = _BY_SELECTOR.get(selector) or (
        erc20.APPROVE if selector == erc20.APPROVE.selector else None
    )
    if function is None or theirs[:SELECTOR_BYTES] != selector:
        return
    try:
        expected, found = function.decode(ours), function.decode(theirs)
    except InputError:
        return
    path = f"{path}.{function.name}"
    if function.name == "multicall":
        (one,), (other,) = expected, found
        if len(one) == len(other):
            for place, (first, second) in enumerate(zip(one, other, strict=True)):
                if first != second:
                    yield from _differences(f"{path}[{place}]", first, second)
                    yield f"{path}[{place}]"
        yield path
    else:
        yield from differences(path, function.inputs, expected, found)
