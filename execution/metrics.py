"""Prometheus metrics of the executor."""

from typing import Final

from runtime.metrics import Counter, Gauge

RECEIPTS_DISPUTED: Final = Gauge(
    "perptape_receipts_disputed",
    "Transactions of which the nodes of a chain do not tell the same",
    ["chain_id"],
)
ORDERS_DOUBLED: Final = Counter(
    "perptape_orders_doubled_total", "Orders that their wallets have placed a second time"
)
