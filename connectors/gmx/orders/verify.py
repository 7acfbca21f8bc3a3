"""Whether a transaction is the step it claims to be, and where it is not. Pure."""

from connectors.base import erc20
from connectors.base.abi import SELECTOR_BYTES, differences
from connectors.base.orders import TAG_BYTES, Step, Transaction, differing_field
from connectors.gmx.orders.abi import Version
from connectors.gmx.orders.calls import calldata_differences
from domain.errors import InputError


def differing(version: Version, step: Step, transaction: Transaction) -> str | None:
    """The first field that differs, inside the calldata in the contracts' names: ``to``,
    ``value``, ``data[2].createOrder.params.numbers.acceptablePrice``, ``data.tag``; ``data`` where
    it is no such call at all. None for the step itself."""
    field = differing_field(step, transaction)
    if field != "data":
        return field
    ours, theirs = step.data[:-TAG_BYTES], transaction.data[:-TAG_BYTES]
    if ours in (theirs, transaction.data):
        # Another tag, or none.
        return "data.tag"
    if step.id == "approve":
        return _approval(ours, theirs)
    return next(iter(calldata_differences(version, ours, theirs)), "data")


def _approval(ours: bytes, theirs: bytes) -> str:
    if theirs[:SELECTOR_BYTES] != ours[:SELECTOR_BYTES]:
        return "data"
    try:
        expected, found = erc20.approval(ours), erc20.approval(theirs)
    except InputError:
        return "data"
    return next(differences("data.approve", erc20.APPROVE.inputs, expected, found), "data")
