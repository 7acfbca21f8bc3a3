"""Transactions of which the nodes of a chain do not tell the same: nobody knows which of them lies,
so what is theirs stays what it was until they agree."""

from collections.abc import Callable, Mapping, Set
from typing import Final

from execution.metrics import RECEIPTS_DISPUTED
from runtime.clock import mono_ns
from runtime.logs import get_logger

TOLD_AFTER_NS: Final = 3_000_000_000
"""Nodes that are reorganised one after the other differ for a moment too."""

_log = get_logger(__name__)


class Disputes:
    """Of one chain."""

    def __init__(self, chain_id: int, clock_ns: Callable[[], int] = mono_ns) -> None:
        self._chain_id = chain_id
        self._clock_ns = clock_ns
        self._since_ns: Mapping[str, int] = {}
        self._told: set[str] = set()
        self._gauge = RECEIPTS_DISPUTED.labels(str(chain_id))
        self._gauge.set(0)

    def note(self, disputed: Set[str]) -> list[str]:
        """``disputed``: all that are now. Those that have to be told, once in a dispute."""
        now_ns = self._clock_ns()
        self._since_ns = {name: self._since_ns.get(name, now_ns) for name in disputed}
        self._told &= disputed
        due = [
            name
            for name, since_ns in sorted(self._since_ns.items())
            if name not in self._told and now_ns - since_ns >= TOLD_AFTER_NS
        ]
        self._told.update(due)
        self._gauge.set(len(self._told))
        for name in due:
            _log.error("receipt_disputed", chain_id=self._chain_id, tx_hash=name)
        return due
