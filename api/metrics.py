"""What the gateway counts."""

from typing import Final

from runtime.metrics import LATENCY_BUCKETS, Counter, Gauge, Histogram

REQUESTS: Final = Counter("perptape_http_requests_total", "HTTP answers", ["route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "perptape_http_request_seconds", "Time to answer", ["route"], buckets=LATENCY_BUCKETS
)
UNDOCUMENTED: Final = Counter(
    "perptape_undocumented_errors_total",
    "Problems that the endpoint does not document: a bug",
    ["route", "code"],
)
SOCKETS: Final = Gauge("perptape_sockets_open", "Engine.IO sessions", ["transport"])
PASSED_ON: Final = Counter(
    "perptape_passed_on_total",
    "Requests for a session of another gateway of this host",
    ["transport"],
)
DELIVERIES: Final = Counter("perptape_deliveries_total", "Room packets given to clients")
CONFLATED: Final = Counter(
    "perptape_conflated_total", "Room packets a slow client did not get because a newer one was due"
)
MESSAGES_REFUSED: Final = Counter(
    "perptape_messages_refused_total", "Messages of clients past what they may send"
)
SLOW_CONSUMERS: Final = Counter("perptape_slow_consumers_total", "Clients past their bound")
REFRESH_REUSED: Final = Counter(
    "perptape_refresh_reused_total", "Refresh tokens used twice, which ended their sessions"
)
ACCOUNT_GAPS: Final = Counter(
    "perptape_account_gaps_total", "Times sockets were told that events of their account are gone"
)
TAPE_BATCHES: Final = Counter(
    "perptape_tape_received_total",
    "Tape messages: taken, from an epoch that is over, or no batch",
    ["outcome"],
)
TAPE_LAG: Final = Histogram(
    "perptape_tape_lag_seconds",
    "Wall clock from the feed's sending of a batch to its fan-out",
    buckets=LATENCY_BUCKETS,
)
BEAT_AGE: Final = Gauge("perptape_beat_age_seconds", "Time since the feed's last sign of life")
STALE_FLIPS: Final = Counter(
    "perptape_stale_flips_total", "Times every room was marked stale", ["cause"]
)
