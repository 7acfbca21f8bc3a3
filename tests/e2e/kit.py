"""What the browser tests need: a browser, the program, and a second pair of eyes on its tape."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import orjson
from playwright.sync_api import Page
from redis import Redis
from redis.exceptions import RedisError

from runtime.channels import TAPE
from runtime.wire import decode_batch

ROOT: Final = Path(__file__).resolve().parents[2]
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VENUES: Final = ("dydx", "gmx", "gains")
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
DASH: Final = "\u2013"
DISCONNECTED: Final = f"Disconnected {DASH} prices are not live"
SILENT: Final = f"Feed silent {DASH} prices are not live"
READY_S: Final = 120.0
STOP_S: Final = 30.0
SLACK: Final = 4

Value = TypeVar("Value")


def find_browser() -> str | None:
    """The browser named by ``CHROMIUM``, else the first one on the path."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS
    return next((found for name in names if (found := shutil.which(name))), None)


def until(read: Callable[[], Value], seconds: float, what: str) -> Value:
    """The first true value of ``read``; fails when there is none for so long, and for longer on a
    machine that is busy: how fast things are is not measured here."""
    deadline = time.monotonic() + SLACK * seconds
    while True:
        value = read()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class Program:
    """A running ``perptape run`` and what it says about itself."""

    def __init__(self, process: "subprocess.Popen[str]", data_dir: Path, url: str) -> None:
        self.process = process
        self.data_dir = data_dir
        self.url = url

    @property
    def runtime(self) -> dict[str, Any]:
        content: dict[str, Any] = orjson.loads((self.data_dir / "runtime.json").read_bytes())
        return content

    def pids(self, role: str) -> list[int]:
        found: list[int] = self.runtime["pids"].get(role, [])
        return found

    def fault(self, kind: str, seconds: float, venue: str = "dydx") -> None:
        """Asks the sandbox for a fault of a venue."""
        body = {"venue": venue, "kind": kind, "market": None, "seconds": seconds}
        answer = httpx.post(f"{self.runtime['sandbox']['control_url']}/faults", json=body)
        assert answer.is_success, answer.text

    def hold_hours(self, **classes: str) -> None:
        """``stocks="closed"`` and the like; ``"clock"`` gives a class back."""
        answer = httpx.post(f"{self.runtime['sandbox']['control_url']}/hours", json=classes)
        assert answer.is_success, answer.text

    def end_faults(self) -> None:
        httpx.delete(f"{self.runtime['sandbox']['control_url']}/faults")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


# Some of each kind of listing, few enough that a browser beside them leaves the feed its time on
# a slow machine: a feed that gets none falls silent, and then the page has no prices to look at.
MARKETS: Final = (
    "BTC ETH SOL XRP DOGE ADA AVAX LINK LTC DOT BCH NEAR ATOM UNI AAVE ARB OP SUI SEI TIA APT INJ "
    "FIL ICP BNB TRX TON XLM PEPE WIF ORDI LDO "
    "GRT COMP SNX BLUR RUNE AKT MKR CVX FET RENDER PENGU HYPE ZEC AAPL MSFT EUR GBP"
)


@contextmanager
def running_program(data_dir: Path) -> Iterator[Program]:
    """The whole program on free ports, stopped at the end."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PERP_")}
    environment = {
        **{k: v for k, v in inherited.items() if k not in ("REDIS_URL", "DATABASE_URL")},
        "PERP_DATA_DIR": str(data_dir),
        "PERP_HTTP_PORT": str(_free_port()),
        "PERP_METRICS_PORT": str(_free_port()),
        "PERP_MARKETS": ",".join(f"{base}-USD" for base in MARKETS.split()),
        "PERP_SANDBOX_RATE": "0.5",
    }
    with (data_dir.parent / "stderr").open("w+") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "perptape", "run"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            url = _ready_url(process)
            if url is None:
                stderr.seek(0)
                raise AssertionError(f"the program did not get ready:\n{stderr.read()[-4_000:]}")
            yield Program(process, data_dir, url)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready_url(process: "subprocess.Popen[str]") -> str | None:
    """The URL of the line ``ready <url>``; None when it does not come. Reads on afterwards, so that
    the pipe never fills."""
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready "):
                said.append(line.split()[1])
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(READY_S)
    return said[0] if said else None


class Tape:
    """Everything the feed says, read from Redis beside the gateway: envelopes by room and seq."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url)
        # Bodies as they came: a reader that decodes thousands of them a second falls behind.
        self._bodies: dict[tuple[str, int], bytes] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        listener = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        listener.subscribe(TAPE)
        while not self._ended.is_set():
            try:
                message = listener.get_message(timeout=0.2)
            except RedisError:
                continue
            if message is not None:
                for envelope in decode_batch(message["data"]).envelopes:
                    self._bodies[envelope.room, envelope.seq] = envelope.body

    def _get(self, room: str, seq: int) -> dict[str, Any] | None:
        body = self._bodies.get((room, seq))
        if body is None:
            return None
        said: dict[str, Any] = orjson.loads(body)
        return said

    def envelope(self, room: str, seq: int) -> dict[str, Any]:
        """Waits for it: the page may be quicker than this reader."""
        found = until(lambda: self._get(room, seq), 5, f"{room} {seq} on the tape")
        assert found is not None
        return found

    def row(self, market: str, seq: int) -> dict[str, Any] | None:
        """The row of the board as of ``seq``; None when it was said before this began to read."""
        while (envelope := self._get("prices", seq)) is not None:
            if market in envelope["data"]:
                row: dict[str, Any] = envelope["data"][market]
                return row
            seq -= 1
        return None

    def next_rows(self, market: str, seq: int, count: int) -> list[dict[str, Any]]:
        """What the next envelopes of the board say of the market, as far as they were said."""
        following = (self._get("prices", seq + i) for i in range(1, count + 1))
        return [e["data"][market] for e in following if e is not None and market in e["data"]]

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._redis.close()


# What the page shows, read in one go: nothing may change between two fields.

READ_QUOTE: Final = """() => {
  const block = document.querySelector('[data-room^="price:"]');
  const fields = {};
  for (const field of block.querySelectorAll('[data-field]')) {
    fields[field.dataset.field] = field.textContent;
  }
  const { seq, epoch } = block.dataset;
  return { seq: seq ? Number(seq) : null, epoch: epoch ? Number(epoch) : null, fields };
}"""

# The venues and pools of the market view, with the seq they belong to.
READ_VENUES: Final = """() => {
  const table = document.querySelector('.vtable');
  const text = (row, name) => row.querySelector(`[data-field="${name}"]`)?.textContent.trim();
  const touch = (row) => ({ bid: text(row, 'bid'), ask: text(row, 'ask') });
  const venues = {};
  for (const row of table.querySelectorAll('[data-venue]')) {
    venues[row.dataset.venue] = {
      ...touch(row),
      kind: text(row, 'kind'),
      pool: row.querySelector('[data-field="pool"]').dataset.value ?? null,
      age: text(row, 'age'),
      state: text(row, 'state'),
      reason: text(row, 'reason') ?? '',
      pools: {},
    };
  }
  for (const row of table.querySelectorAll('[data-venue-pool]')) {
    const [venue, pool] = row.dataset.venuePool.split(' ');
    venues[venue].pools[pool] = touch(row);
  }
  const { seq } = document.querySelector('[data-room^="price:"]').dataset;
  return { seq: seq ? Number(seq) : null, venues };
}"""

READ_BOARD: Final = """() => [...document.querySelectorAll('[data-market]')].map((row) => {
  const text = (name) => row.querySelector(`[data-field="${name}"]`).textContent;
  const spread = row.querySelector('[data-field="spread_bps"]').dataset.value;
  return {
    market: row.dataset.market,
    seq: row.dataset.seq ? Number(row.dataset.seq) : null,
    health: row.dataset.health,
    bid: text('bid'),
    ask: text('ask'),
    bid_venue: text('bid_venue'),
    ask_venue: text('ask_venue'),
    spread_bps: spread === undefined ? null : Number(spread),
  };
})"""


def read_venues(page: Page) -> dict[str, dict[str, Any]]:
    """The rows of the market view by venue."""
    venues: dict[str, dict[str, Any]] = page.evaluate(READ_VENUES)["venues"]
    return venues


def read_board(page: Page) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page.evaluate(READ_BOARD)
    return rows


def priced(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["bid"] or row["ask"]]


def open_board(page: Page, url: str) -> None:
    """The board, with live prices in most rows."""
    page.goto(url)
    page.wait_for_selector('[data-link="live"]')
    until(lambda: len(priced(read_board(page))) > 30, 30, "prices on the board")


def open_market(page: Page, url: str, market: str) -> None:
    page.goto(f"{url}/#/m/{market}")
    page.wait_for_selector('[data-room^="price:"][data-seq] [data-field="bid"]:not(:empty)')
