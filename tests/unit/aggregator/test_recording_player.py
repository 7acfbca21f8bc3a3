"""Replays of a short recording of the sandbox: see ``tests/data/recordings``."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson
import pytest

from aggregator.recording.facts import facts, offline_settings
from aggregator.recording.format import Entry, Kind, Reader
from aggregator.recording.player import Player
from runtime.settings import Settings

FILE = Path(__file__).parents[2] / "data" / "recordings" / "synthetic-sandbox-v2.perprec"
MARKETS = {"BTC-USD", "ETH-USD", "SOL-USD"}


def recorded() -> list[Entry]:
    with FILE.open("rb") as file:
        reader = Reader(file)
        entries = list(reader)
        assert not reader.torn
    return entries


def played(entries: Sequence[Entry]) -> tuple[Player, list[bytes]]:
    player = Player(entries[0])
    return player, [said.envelope.body for said in player.play(entries[1:])]


def newest(bodies: Sequence[bytes]) -> dict[str, Any]:
    contents = map(orjson.loads, bodies)
    return {item["room"]: item["data"] for item in contents if item["room"].startswith("price:")}


def states(bodies: Sequence[bytes]) -> dict[str, dict[str, str]]:
    return {
        room.partition(":")[2]: {name: venue["state"] for name, venue in data["venues"].items()}
        for room, data in newest(bodies).items()
    }


def test_twice_the_same_bytes() -> None:
    entries = recorded()
    first, second = played(entries)[1], played(entries)[1]
    assert len(first) > 50
    assert hashlib.sha256(b"\n".join(first)).digest() == hashlib.sha256(b"\n".join(second)).digest()


@pytest.mark.parametrize(("shares", "at_once"), [(1, 7), (2, 64), (3, 1000)])
def test_shares_put_together_are_what_one_player_says(shares: int, at_once: int) -> None:
    entries = recorded()
    parts = []
    for share in range(shares):
        player = Player(entries[0], share, shares)
        parts.append(
            [
                said
                for start in range(1, len(entries), at_once)
                for said in player.play(entries[start : start + at_once])
            ]
        )
    assert len([part for part in parts if part]) == min(shares, 2)
    together = sorted(chain.from_iterable(parts), key=attrgetter("place"))
    assert [said.envelope.body for said in together] == played(entries)[1]


def test_all_venues_are_live_at_the_end() -> None:
    player, bodies = played(recorded())
    live = {"dydx": "live", "gmx": "live", "gains": "live"}
    assert states(bodies) == dict.fromkeys(MARKETS, live)
    assert player.missing == player.crashes == 0
    assert player.frames > 100
    assert player.seconds > 2


def test_times_and_numbers_are_of_the_recording() -> None:
    entries = recorded()
    said = [orjson.loads(body) for body in played(entries)[1]]
    times = [item["published_us"] for item in said]
    assert times == sorted(times)
    assert entries[0].wall_us <= times[0]
    assert all(item["received_us"] <= item["published_us"] for item in said)
    epoch = entries[0].wall_us // 1_000_000
    for room in {item["room"] for item in said}:
        mine = [item for item in said if item["room"] == room]
        assert {item["epoch"] for item in mine} == {epoch}
        assert [item["seq"] - (epoch << 20) for item in mine] == list(range(1, len(mine) + 1))


def test_a_recording_has_its_ladders_and_candles() -> None:
    said = [orjson.loads(body) for body in played(recorded())[1]]
    rooms = Counter(item["room"] for item in said)
    for market in MARKETS:
        assert rooms[f"ladder:{market}"] > 3
        ladder = [item for item in said if item["room"] == f"ladder:{market}"][-1]
        assert {row["venue"] for row in ladder["data"]["buy"]} == {"dydx", "gmx", "gains"}
        assert sum(row["best"][0] for row in ladder["data"]["sell"]) == 1
        candles = [item for item in said if item["room"] == f"candles:{market}"]
        assert [item["data"]["1s"]["closed"] for item in candles] == [True] * len(candles)
        assert 1 < len(candles) < 6
        assert {item["data"]["1d"]["t"] for item in candles} == {"2026-11-22T00:00:00.000Z"}


def test_ladders_are_made_where_the_recording_has_them() -> None:
    entries = recorded()
    last = entries[-2]
    assert last.mono_ns
    ladders = Entry(Kind.LADDERS, 0, last.wall_us, last.mono_ns, b"NONE-USD,SOL-USD")
    before = played(entries)[1]
    after = played([*entries[:-1], Entry(Kind.ANEW, 0, 0, 0, b""), ladders, ladders])[1]
    made = [orjson.loads(body) for body in after[len(before) :]]
    # The second time there was nothing new to say.
    assert [item["room"] for item in made] == ["ladder:NONE-USD", "ladder:SOL-USD"]
    assert made[1]["published_us"] == last.wall_us
    assert made[0]["data"]["buy"] == []


def test_after_a_gap_nothing_is_live_until_it_is_connected_anew() -> None:
    entries = recorded()
    middle = len(entries) * 3 // 4
    assert Kind.OPEN not in {entry.kind for entry in entries[middle:]}
    lost = 100
    gap = Entry(Kind.GAP, 0, 0, 0, b"%d" % lost)
    before = played(entries[:middle])[1]
    assert any("live" in venues.values() for venues in states(before).values())
    player, bodies = played([*entries[:middle], gap, *entries[middle + lost :]])
    assert player.missing == lost
    for data in newest(bodies).values():
        assert data["quality"]["venues"] == 0
        assert (data["bid"], data["ask"]) == (None, None)


@pytest.mark.parametrize("start", [10, 200])
def test_a_gap_anywhere_does_no_harm(start: int) -> None:
    """Even one that has taken what the rest depends on."""
    entries = recorded()
    gap = Entry(Kind.GAP, 0, 0, 0, b"40")
    player, _ = played([*entries[:start], gap, *entries[start + 40 :]])
    assert player.missing == 40


def test_a_session_that_raises_is_lost_as_it_was_in_the_feed() -> None:
    entries = recorded()
    found = next(i for i, e in enumerate(entries) if e.kind == Kind.REPLY)
    # A poll that is given a frame of a socket raises.
    broken = entries[found]._replace(kind=Kind.FRAME)
    player, _ = played([*entries[:found], broken, *entries[found + 1 :]])
    assert player.crashes == 1


def test_facts_rebuild_the_connectors_without_addresses_or_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls: dict[str, Any] = {
        "rpc_urls": {42161: "https://node.example/key-1,wss://node.example/key-2"},
        "gains_backend_urls": {8453: "https://backend.example"},
        "gains_backend_ws_urls": {8453: "wss://backend.example"},
    }
    known = orjson.loads(orjson.dumps(facts(Settings(network="live", **urls))))
    assert "example" not in repr(known)
    monkeypatch.setenv("PERP_NETWORK", "nonsense")
    offline = offline_settings(known)
    assert offline.network == "live"
    assert list(offline.gains_backend_urls) == [8453]
    assert list(offline.rpc_urls) == [42161]
