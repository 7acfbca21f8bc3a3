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
ORDERS_LANDED_LATE: Final = Counter(
    "perptape_orders_landed_late_total",
    "Transactions of orders that landed after the order was final",
)
