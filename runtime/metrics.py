"""Prometheus metrics shared by all roles and the port they are read from."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

__all__ = ["Counter", "Gauge", "Histogram"]

LATENCY_BUCKETS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip

TASK_CRASHES: Final = Counter(
    "perptape_task_crashes_total", "Supervised tasks that ended with an exception", ["task"]
)
LOOP_LAG: Final = Histogram(
    "perptape_loop_lag_seconds",
    "How late the event loop wakes a timer",
    buckets=LATENCY_BUCKETS,
)
LOOP_LAG_LAST: Final = Gauge("perptape_loop_lag_last_seconds", "Newest event-loop lag")
LOOP_BLOCKED: Final = Gauge(
    "perptape_loop_blocked_seconds", "How late the event loop is at the moment of reading"
)
QUEUE_DEPTH: Final = Gauge("perptape_queue_depth", "Items waiting in a bounded queue", ["queue"])
QUEUE_HIGH_WATER: Final = Gauge(
    "perptape_queue_high_water", "Most items a bounded queue has held", ["queue"]
)
QUEUE_BOUND: Final = Gauge("perptape_queue_bound", "Bound of a queue", ["queue"])
BREAKER_OPEN: Final = Gauge(
    "perptape_breaker_open", "1 while a server is not asked because it has just failed", ["server"]
)
CALLS_REFUSED: Final = Counter(
    "perptape_calls_refused_total", "Calls not made because a breaker was open", ["server"]
)
CALL_SECONDS: Final = Histogram(
    "perptape_call_seconds",
    "Time of calls to a server; of Postgres, of having a connection",
    ["server"],
    buckets=LATENCY_BUCKETS,
)
CACHE_READS: Final = Counter(
    "perptape_cache_reads_total", "Reads of what is kept for a while", ["cache", "outcome"]
)
POOL_WAIT: Final = Histogram(
    "perptape_pool_wait_seconds", "Wait for a connection to Postgres", buckets=LATENCY_BUCKETS
)
POSTGRES_FULL: Final = Counter(
    "perptape_postgres_full_total", "Times that Postgres had no room on its disk for something"
)
POOL_WAITING: Final = Gauge("perptape_pool_waiting", "Who waits for a connection to Postgres")


def serve_metrics(host: str, port: int) -> None:
    """Serves ``/metrics`` from a thread of its own. Raises OSError."""
    start_http_server(port, addr=host)
