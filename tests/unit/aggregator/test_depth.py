"""Which pools a ladder has, when it is made, and that it is what exact prices say."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from aggregator.depth import AT_ONCE, TOGETHER, Depths
from aggregator.ladders import ladders
from connectors.base.economics import PoolDepth
from connectors.dydx.economics.pricing import ECONOMICS, BookInputs
from connectors.dydx.economics.quote import scale_of
from domain.book import BookLevels
from domain.costs import PricedPool
from domain.events import Liveness, MarketState, PoolQuote, VenueStatus
from domain.ids import MarketId, VenueId
from domain.market import Market
from domain.units import E18, Grid
from tests.unit.aggregator.world import ASKS, BIDS, BTC, DYDX, ETH, GMX, World, market, snapshot

D = Decimal
SCALE = scale_of(market())
PRICED_BY = {DYDX: ECONOMICS, GMX: ECONOMICS}
DEEP = ((1000, 10**7), (999, 10**9)), ((1001, 10**7), (1002, 10**9))


class Connector:
    """A venue whose pools are books: those of ``pools``, or the one it is given."""

    rules: Any = None

    def __init__(self, venue: str, pools: Sequence[str] = ()) -> None:
        self.venue = VenueId(venue)
        self.pools = list(pools)
        self.kept: dict[object, PoolDepth] = {}

    def depth(self, market: Market, book: BookLevels | None, mono_ns: int) -> Sequence[PoolDepth]:
        if book is not None:
            return [self._depth((None, book), book.bids, book.asks)]
        return [self._depth((market.market, name), *DEEP) for name in self.pools]

    def _depth(self, key: tuple[Any, Any], bids: Any, asks: Any) -> PoolDepth:
        if key not in self.kept:
            inputs = BookInputs(SCALE, tuple(bids), tuple(asks))
            self.kept[key] = PoolDepth(key[0] and key[1], inputs, D("0.25"), None)
        return self.kept[key]


class Rig(World):
    """dYdX with books, GMX with the pools A and B."""

    def __init__(self, *markets: MarketId) -> None:
        super().__init__(("dydx", "gmx"), markets or (BTC,))
        self.gmx = Connector("gmx", ["A", "B"])
        connectors: Any = [Connector("dydx"), self.gmx]
        self.depths = Depths(self.core, connectors)
        for row in self.core.rows_of(GMX):
            tick = Grid("0.0000000001")
            row.market = replace(row.market, kind="oracle", pools=("A", "B"), tick=tick)

    def pool(self, name: str, bid: int | None, ask: int | None, on: MarketId = BTC) -> None:
        sides = (None if side is None else side * E18 // 10 for side in (bid, ask))
        self.apply(PoolQuote(on, name, *sides, None, None, 1), venue="gmx")

    def up(self, *names: MarketId) -> None:
        self.live(*(names or (BTC,)))
        self.apply(VenueStatus("live"), Liveness(1), venue="gmx")
        for name in names or (BTC,):
            self.pool("A", 1000, 1001, name)
        self.flush()

    def priced(self, name: MarketId = BTC) -> Any:
        """The ladder of a market, None where it stands as it is."""
        standing = self.depths.collect([name], self.now_ns)
        made = ladders(PRICED_BY, self.depths.take())
        self.depths.take()
        assert [ladder.market for ladder in made] + standing == [name]
        self.depth: Any = orjson.loads(made[0].depth) if made else None
        return orjson.loads(made[0].data) if made else None


def pools(data: Any, side: str = "buy") -> list[tuple[str, str | None]]:
    return [(row["venue"], row["pool"]) for row in data[side]]


def test_a_ladder_says_what_exact_prices_are() -> None:
    rig = Rig()
    rig.up()
    data = rig.priced()
    assert data["sizes"] == ["1000", "10000", "100000", "1000000"]
    assert data["excluded"] == []
    assert pools(data) == pools(data, "sell") == [("dydx", None), ("gmx", "A")]
    for place, row in enumerate(data["buy"] + data["sell"]):
        side = "BUY" if place < 2 else "SELL"
        bids, asks = DEEP if row["venue"] == "gmx" else (BIDS, ASKS)
        inputs = BookInputs(SCALE, bids, asks)
        for at, size in enumerate(data["sizes"]):
            exact = ECONOMICS.price(row["pool"], inputs, side, D(size))  # type: ignore[arg-type]
            if not isinstance(exact, PricedPool):
                assert (row["all_in"][at], row["reason"][at]) == (None, exact.reason)
                continue
            assert abs(D(row["all_in"][at]) - exact.all_in_price) <= exact.all_in_price * D("1e-11")
            for name in ("fee_bps", "spread_bps", "impact_bps", "all_in_bps"):
                assert abs(row[name][at] - float(getattr(exact, name))) <= 0.00005
        assert (row["gas_usd"], row["execution_fee_usd"]) == ("0.25", None)
    assert data["buy"][0]["reason"] == ["DEPTH"] * 4
    assert data["buy"][1]["best"] == [True] * 4


def test_only_pools_whose_touch_stands_have_a_part() -> None:
    rig = Rig()
    rig.up()
    rig.pool("B", None, 1001)
    rig.pool("A", None, None)
    rig.flush()
    data = rig.priced()
    assert pools(data) == [("dydx", None), ("gmx", "B")]
    assert data["sell"][1]["reason"] == ["NO_TOUCH"] * 4
    assert data["sell"][1]["all_in"] == [None] * 4
    assert data["buy"][1]["reason"] == [None] * 4
    row = rig.depth["pools"][1]
    assert (row["pool"], row["sides"]) == ("B", ["BUY"])


def test_a_venue_that_is_not_live_has_no_rows_and_a_reason() -> None:
    rig = Rig()
    rig.up()
    assert pools(rig.priced()) == [("dydx", None), ("gmx", "A")]
    rig.apply(VenueStatus("connecting", "CLOSED_BY_VENUE"), venue="gmx")
    # Also before the quote says so.
    assert pools(rig.priced()) == [("dydx", None)]
    assert rig.depth["excluded"] == [{"venue": "gmx", "reason": "CONNECTING"}]
    rig.flush()
    rig.apply(MarketState(BTC, status="halted", reason="PAUSED"))
    rig.flush()
    data = rig.priced()
    assert data["buy"] == data["sell"] == []
    assert data["mid"] is None
    assert data["splits"] == {"buy": [None] * 4, "sell": [None] * 4}
    assert {item["venue"]: item["reason"] for item in data["excluded"]} == {
        "dydx": "PAUSED",
        "gmx": "CONNECTING",
    }


def test_a_live_venue_of_which_no_depth_is_known_says_so() -> None:
    rig = Rig()
    rig.gmx.pools.clear()
    rig.up()
    assert rig.priced()["excluded"] == [{"venue": "gmx", "reason": "NO_DEPTH"}]


def test_what_has_not_changed_is_not_said_again() -> None:
    rig = Rig()
    rig.up()
    assert rig.priced() is not None
    assert rig.priced() is None
    rig.apply((BTC, True, 999, 77, 2))
    rig.flush()
    assert rig.priced() is not None
    rig.gmx.kept.clear()
    assert rig.priced() is not None
    assert rig.priced() is None
    rig.depths.forget_said()
    assert rig.priced() is not None


def test_depth_is_what_the_ladder_was_made_of() -> None:
    rig = Rig()
    rig.up()
    rig.priced()
    assert rig.depth["mid"] == "100.05"
    book, pool = rig.depth["pools"]
    assert ECONOMICS.decode(book["inputs"]) == BookInputs(SCALE, BIDS, ASKS)
    assert ECONOMICS.decode(pool["inputs"]).bids == DEEP[0]
    assert (pool["venue"], pool["pool"], pool["gas_usd"]) == ("gmx", "A", "0.25")
    assert pool["execution_fee_usd"] is None


def test_a_book_is_cut_behind_the_largest_size() -> None:
    """Prices are around 100, a step is 0.001: the first two levels hold more than a million."""
    rig = Rig()
    rig.live()
    thick = tuple((1000 - place, 10**7) for place in range(5))
    rig.apply(snapshot(BTC, thick, ((1010, 3),), 2))
    rig.flush()
    data = rig.priced()
    inputs = rig.depths._known[BTC].pools[0].inputs
    assert inputs.bids == thick[:2]
    assert data["sell"][0]["reason"] == [None] * 4


def test_slices_have_every_market_once_a_round() -> None:
    names = [MarketId(f"M{number}-USD") for number in range(2 * AT_ONCE + 3)]
    rig = Rig(*names)
    first = [rig.depths.due() for _ in range(3)]
    assert [name for turn in first for name in turn] == names
    assert max(map(len, first)) == AT_ONCE
    assert rig.depths.slices == 3
    assert rig.depths.due() == first[0]


def test_a_venue_that_left_does_not_stay_until_the_turn_of_its_market() -> None:
    names = [BTC, ETH, *(MarketId(f"M{number}-USD") for number in range(3 * AT_ONCE))]
    rig = Rig(*names)
    rig.up(*names)
    rig.depths.collect(names, rig.now_ns)
    rig.depths.due()
    rig.apply(VenueStatus("connecting", "CLOSED_BY_VENUE"), venue="gmx")
    for best in rig.flush():
        rig.depths.notice(best)
    due = rig.depths.due()
    assert due[:2] == [BTC, ETH]
    assert len(due) == len(set(due))
    rig.depths.collect(names, rig.now_ns)
    rounds = [rig.depths.due() for _ in range(8)]
    assert all(len(turn) <= AT_ONCE for turn in rounds[4:])


def test_a_market_that_nobody_lists_any_more_has_an_empty_ladder() -> None:
    rig = Rig()
    rig.up()
    rig.priced()
    for venue in (DYDX, GMX):
        rig.core.unlist(venue, BTC, 1)
    for best in rig.flush():
        rig.depths.notice(best)
    assert rig.depths.due() == [BTC]
    data = rig.priced()
    assert (data["buy"], data["excluded"]) == ([], [])


def test_many_are_priced_in_one_pass_as_if_alone() -> None:
    names = [MarketId(f"M{number}-USD") for number in range(TOGETHER + 3)]
    rig = Rig(*names)
    rig.up(*names)
    alone = {}
    for name in names:
        rig.depths.collect([name], rig.now_ns)
        (ladder,) = ladders(PRICED_BY, rig.depths.take())
        alone[name] = ladder
    rig.depths.forget_said()
    rig.depths.collect(names, rig.now_ns)
    first, second = rig.depths.take(), rig.depths.take()
    assert (len(first), len(second)) == (TOGETHER, 3)
    assert rig.depths.take() == {}
    together = ladders(PRICED_BY, first) + ladders(PRICED_BY, second)
    assert {ladder.market: ladder for ladder in together} == alone


def test_a_fee_of_whoever_runs_it_stands_beside_the_rows() -> None:
    rig = Rig()
    rig.up()
    rig.depths.collect([BTC], rig.now_ns)
    found = rig.depths.take()
    (plain,), (charged,) = ladders(PRICED_BY, found), ladders(PRICED_BY, found, Decimal("2.5"))
    data = orjson.loads(charged.data)
    assert data.pop("service_fee_bps") == "2.5"
    assert data == orjson.loads(plain.data)


def test_of_two_moments_the_newer_one_is_said() -> None:
    rig = Rig()
    rig.up()
    rig.depths.collect([BTC], rig.now_ns)
    rig.apply((BTC, True, 999, 77, 2))
    rig.flush()
    assert rig.depths.collect([BTC], rig.now_ns) == []
    assert rig.depths.collect([BTC], rig.now_ns) == []
    (ladder,) = ladders(PRICED_BY, rig.depths.take())
    assert 77 in orjson.loads(ladder.depth)["pools"][0]["inputs"]["bids"]


def test_a_ladder_that_is_being_made_is_not_the_one_that_stands() -> None:
    rig = Rig()
    rig.up()
    rig.depths.collect([BTC], rig.now_ns)
    assert list(rig.depths.take()) == [BTC]
    assert rig.depths.collect([BTC], rig.now_ns) == []
    assert rig.depths.take() == {}
    assert rig.depths.collect([BTC], rig.now_ns) == [BTC]


def test_a_ladder_lives_on_halfway_to_the_next_turn() -> None:
    names = [MarketId(f"M{number}-USD") for number in range(4 * AT_ONCE)]
    rig = Rig(*names)
    rig.up(*names)
    for turn in range(8):
        due = rig.depths.due()
        rig.depths.collect(due, rig.now_ns)
        # None is there yet in the first round; then those of two turns ago.
        before = names[(turn % 4 - 2) * AT_ONCE :][:AT_ONCE]
        assert rig.depths.halfway() == ([] if turn < 2 else before)
        rig.depths.take()
        rig.depths.take()
    rig.depths.due()
    assert rig.depths.collect(names, rig.now_ns) == names
    rig.depths.forget_said()
    assert rig.depths.halfway() == []
    rig.depths.collect(names, rig.now_ns)
    assert rig.depths.halfway() == []
