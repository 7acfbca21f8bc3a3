"""How fast GMX's answers are: tickers of 125 tokens through parse, state and touch.

Budget: at most 6 times the time of ``orjson.loads`` alone on the same answers in the same run.
The answers are those of the sandbox's keeper on a clock that moves a second between two polls:
from each to the next every price changes, as it does on the chain where the oracle observes once a
second. Polls of the same second, which change nothing, are left out.
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

import orjson

from aggregator.consolidate import Consolidator
from benchmarks.support import compare, free_port, wait_until_served
from connectors.base import markets as market_table
from connectors.base.protocol import HttpReply, Source
from connectors.gmx import connector as gmx
from connectors.gmx import constants as c
from domain.events import PoolQuote
from domain.market import Market
from runtime.settings import Settings
from runtime.tasks import tune_interpreter
from sandbox.faults import NO_FAULTS, FaultBoard
from sandbox.gmx.server import Replica
from sandbox.prices import PriceProcess, load_assets

ANSWERS: Final = 200
INFO_EVERY: Final = 5
"""Answers between two of the pools' liquidity, which is asked for every five seconds."""
BUDGET: Final = 6.0
TOKENS: Final = 125
LEAST_CHANGED: Final = 0.9
SECOND_NS: Final = 1_000_000_000


class Capture(NamedTuple):
    """``infos``: liquidity of the pools as it is before every INFO_EVERY answers. Tokens are
    addresses in lower case: ``token_of`` the market token of each pool, ``decimals``."""

    markets: Sequence[Market]
    sources: Sequence[Source]
    tickers: Sequence[bytes]
    infos: Sequence[bytes]
    start_us: int
    token_of: Mapping[str, str]
    decimals: Mapping[str, int]


async def capture() -> Capture:
    """Lists over HTTP, as the feed asks for them; then the keeper's answers second by second."""
    replica = Replica(PriceProcess(load_assets(), 1), FaultBoard(), seed=1, rate=1)
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(replica.run(port, stop))
    await wait_until_served(port)
    table = market_table.load()
    url = f"http://127.0.0.1:{port}"
    connector = gmx.from_settings(Settings(gmx_keeper_urls=url), table)
    listed = await connector.load_markets()
    sources = connector.sources(listed)
    await connector.close()
    stop.set()
    await serving

    def answer(path: str) -> bytes:
        return replica.rest.answer("GET", path, NO_FAULTS).body

    start_us = replica.now_us() // 1_000_000 * 1_000_000
    tickers, infos = [], []
    for second in range(1, ANSWERS + 1):
        replica.keeper.turn(start_us + second * 1_000_000, NO_FAULTS)
        if second % INFO_EVERY == 1:
            infos.append(answer(c.INFO_PATH))
        tickers.append(answer(c.TICKERS_PATH))
    rows = orjson.loads(answer(c.TOKENS_PATH))["tokens"]
    decimals = {row["address"].lower(): row["decimals"] for row in rows}
    pools = orjson.loads(answer(c.MARKETS_PATH))["markets"]
    quoted = {pool for market in listed for pool in market.pools}
    token_of = {
        pool["marketToken"]: pool["indexToken"].lower()
        for pool in pools
        if pool["marketToken"] in quoted
    }
    return Capture(listed, sources, tickers, infos, start_us, token_of, decimals)


class GmxFeed:
    """The sessions of the tickers and of the liquidity, the consolidator and the touch after every
    answer, as the feed role runs them."""

    def __init__(self, captured: Capture) -> None:
        self._captured = captured
        self._infos = iter(captured.infos)
        self._answers = 0
        self.consolidator = Consolidator({c.VENUE: c.MAX_AGE_NS})
        for source in captured.sources:
            self.consolidator.attach(source.source_id, c.VENUE, source.markets)
        tickers, info, _ = captured.sources
        self._source_id, self._info_id = tickers.source_id, info.source_id
        self._session, self._info = tickers.new_session(0), info.new_session(0)
        self._rows = {row.market.market: row for row in self.consolidator.rows_of(c.VENUE)}

    def _now(self) -> tuple[int, int]:
        """Of the next answer."""
        number = self._answers + 1
        return self._captured.start_us + number * 1_000_000, number * SECOND_NS

    def prepare(self) -> None:
        wall_us, mono_ns = self._now()
        self._info.receive(HttpReply(c.INFO_PATH, next(self._infos)), wall_us, mono_ns)
        self.consolidator.apply(self._info_id, self._info.events(), wall_us, mono_ns)

    def run(self, frames: Sequence[bytes]) -> None:
        session, consolidator, rows = self._session, self.consolidator, self._rows
        for frame in frames:
            wall_us, mono_ns = self._now()
            session.receive(HttpReply(c.TICKERS_PATH, frame), wall_us, mono_ns)
            events = session.events()
            consolidator.apply(self._source_id, events, wall_us, mono_ns)
            for market in {event.market: None for event in events if type(event) is PoolQuote}:
                _ = rows[market].best_pool
            self._answers += 1

    def verify(self) -> None:
        """Every market quotes what the last answer says, to the last digit."""
        captured = self._captured
        last = _by_token(captured.tickers[-1])
        _, mono_ns = self._now()
        shown = {best.market: best.quotes[0] for best in self.consolidator.flush(mono_ns)}
        if shown.keys() != {market.market for market in captured.markets}:
            raise SystemExit(f"{len(shown)} of {len(captured.markets)} markets were quoted")
        quoted = 0
        for market, quote in shown.items():
            for pool in quote.pools:
                token = captured.token_of[pool.pool]
                scale = Fraction(10 ** captured.decimals[token], 10**12)
                bid, ask = (int(price) * scale for price in last[token])
                # A side that nobody can open a position at has no price.
                if pool.bid_e18 not in (None, bid // 1) or pool.ask_e18 not in (None, -(-ask // 1)):
                    raise SystemExit(f"{market}: {pool} is not {last[token]}")
            quoted += quote.bid_e18 is not None and quote.ask_e18 is not None
        if quoted < LEAST_CHANGED * len(shown):
            raise SystemExit(f"only {quoted} of {len(shown)} markets have both prices")


def _by_token(answer: bytes) -> dict[str, tuple[str, str]]:
    return {
        row["tokenAddress"].lower(): (row["minPrice"], row["maxPrice"])
        for row in orjson.loads(answer)
    }


def check(captured: Capture) -> None:
    """Raises SystemExit unless every answer has all tokens and nearly all prices are new."""
    changed = 0
    for before, after in itertools.pairwise(map(_by_token, captured.tickers)):
        if len(after) != TOKENS:
            raise SystemExit(f"an answer of {len(after)} tokens: the measurement is void")
        changed += sum(before[token] != prices for token, prices in after.items())
    share = changed / TOKENS / (len(captured.tickers) - 1)
    print(
        f"GMX tickers: {len(captured.markets)} markets with {len(captured.token_of)} pools, "
        f"{share:.1%} of prices new in every answer"
    )
    if share < LEAST_CHANGED:
        raise SystemExit("the measurement is void")


def main() -> None:
    tune_interpreter()
    captured = asyncio.run(capture())
    check(captured)
    compare(
        f"GMX tickers of {TOKENS} tokens",
        lambda: GmxFeed(captured),
        captured.tickers,
        BUDGET,
        INFO_EVERY,
    )


if __name__ == "__main__":
    main()
