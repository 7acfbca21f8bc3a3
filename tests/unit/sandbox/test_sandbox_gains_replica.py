import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import FaultBoard
from sandbox.gains import server
from sandbox.gains.hours import CLASSES, open_classes
from sandbox.gains.numbers import js_number
from sandbox.prices import PriceProcess, load_assets

DATA = Path(__file__).parents[2] / "data" / "gains"
OPEN_US = 1_773_846_000_000_000


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in json.loads((DATA / "market_hours.json").read_bytes())["cases"]
        # Holidays are not replicated.
        if case["in"]["utc"] not in ("2026-01-01T16:00:00Z", "2025-11-28T18:30:00Z")
    ],
    ids=lambda case: case["in"]["utc"],
)
def test_hours_follow_new_york(case: dict[str, Any]) -> None:
    moment = datetime.fromisoformat(case["in"]["utc"])
    is_open = open_classes(int(moment.timestamp() * 1e6))
    assert is_open == {name: case["out"][name] for name in CLASSES}


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (68526.44763, "68526.45"),
        (97_000.0, "97000"),
        (0.00001191790656, "0.00001191791"),
        (0.000001, "0.000001"),
        (1.234567891e-7, "1.234568e-7"),
        (123_456_789_012.3, "123456800000"),
    ],
)
def test_numbers_are_javascript_s(price: float, text: str) -> None:
    assert js_number(price) == text


def test_one_seed_gives_one_stream() -> None:
    def told(seed: int) -> tuple[list[bytes], list[dict[str, Any]]]:
        replica = server.Replica(
            PriceProcess(load_assets(), seed),
            FaultBoard(),
            seed=seed,
            rate=20,
            clock=lambda: OPEN_US,
        )
        chain = replica.chains[137]
        frames: list[bytes] = []
        events: list[bytes] = []
        for now_us in range(OPEN_US, OPEN_US + 8_000_000, 10_000):
            batch = replica.feed.step(now_us, replica.faults)
            frames += [batch.v4] if batch else []
            events += chain.step(now_us, replica.faults)[0]
        return frames, [json.loads(event) for event in events]

    first, second, other = told(3), told(3), told(4)
    assert first == second
    assert first[0] != other[0]
    assert any(event["name"] == "registerTrade" for event in first[1])


def test_assets_of_other_classes_leave_the_walks_of_crypto_as_they_were() -> None:
    others = ("forex", "stocks", "indices", "commodities")
    assets = load_assets()
    with_all = PriceProcess(assets, 5)
    alone = PriceProcess([asset for asset in assets if asset.sector not in others], 5)
    for process in (with_all, alone):
        process.advance(0)
        process.advance(10_000_000)
    assert alone.values == [with_all.price(market) for market in alone.markets]
