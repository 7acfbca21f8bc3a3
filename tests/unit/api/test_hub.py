"""Lanes, channels and what is owed, with sockets that only note what is written."""

import asyncio
import functools
import time
from collections.abc import Callable
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.realtime.delivery import STREAM_BOUND, WRITES_PER_STEP
from api.realtime.frames import TEXT, frame
from api.realtime.hub import Hub, Rate
from api.tape.board import Board
from tests.unit.api.hub_kit import Note, publish, turn, turns

WINDOW_S = 0.02


@pytest.fixture
def board() -> Board:
    made = Board()
    made.take_markets(b'[{"market":"BTC-USD"},{"market":"ETH-USD"}]')
    return made


@pytest.fixture
def hub() -> Hub:
    return Hub(WINDOW_S)


@pytest.fixture
def end_windows(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Windows end when this is called, and not by time."""
    ends: list[Callable[[], None]] = []

    def call_later(loop: object, delay: float, call: Callable[..., None], *args: object) -> None:
        ends.append(functools.partial(call, *args))

    def end() -> None:
        while ends:
            ends.pop(0)()

    monkeypatch.setattr(asyncio.BaseEventLoop, "call_later", call_later)
    return end


async def test_one_frame_serves_all_members(hub: Hub, board: Board) -> None:
    members = [Note() for _ in range(3)]
    for member in members:
        hub.join(member, board.find("price:BTC-USD"), "max")
    publish(hub, board, "price:BTC-USD", 1)
    await turn()
    assert [member.seqs() for member in members] == [[1], [1], [1]]
    assert members[0].written[0] is members[2].written[0]


async def test_marks_are_sent_at_the_next_turn_of_the_loop(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find("price:BTC-USD"), "max")
    publish(hub, board, "price:BTC-USD", 1)
    publish(hub, board, "price:BTC-USD", 2)
    assert member.frames == []
    await asyncio.sleep(0)
    assert member.seqs() == [2]


async def test_a_stalled_member_is_owed_the_newest_of_each_room(hub: Hub, board: Board) -> None:
    member, other = Note(), Note()
    for room in ("price:BTC-USD", "price:ETH-USD"):
        hub.join(member, board.find(room), "max")
        hub.join(other, board.find(room), "max")
    member.stall()
    for seq in range(1, 6):
        publish(hub, board, "price:BTC-USD", seq)
        publish(hub, board, "price:ETH-USD", seq + 100)
        await turns()
    assert member.frames == []
    assert len(other.frames) == 10
    member.resume()
    assert member.seqs() == [5, 105]
    publish(hub, board, "price:BTC-USD", 6)
    await turns()
    assert member.seqs() == [5, 105, 6]


async def test_streams_are_owed_in_full_to_a_bound(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find("trades:BTC-USD"), "max")
    member.stall()
    for seq in range(1, STREAM_BOUND + 1):
        publish(hub, board, "trades:BTC-USD", seq)
        await turn()
    assert not member.cut
    member.resume()
    assert member.seqs() == list(range(1, STREAM_BOUND + 1))
    member.stall()
    for seq in range(1, STREAM_BOUND + 2):
        publish(hub, board, "trades:BTC-USD", 1_000 + seq)
        await turn()
    assert member.cut


async def test_who_leaves_is_owed_nothing(hub: Hub, board: Board) -> None:
    member = Note()
    for room in ("price:BTC-USD", "trades:BTC-USD"):
        hub.join(member, board.find(room), "max")
    member.stall()
    publish(hub, board, "price:BTC-USD", 1)
    publish(hub, board, "trades:BTC-USD", 1)
    await turn()
    hub.leave(member, "price:BTC-USD")
    hub.leave(member, "trades:BTC-USD")
    hub.leave(member, "price:ETH-USD")
    assert not member.is_owed
    assert not hub.has(member, "price:BTC-USD")


async def test_a_member_cut_off_during_a_broadcast_disturbs_nobody(hub: Hub, board: Board) -> None:
    slow, fast = [Note() for _ in range(3)], Note()
    for member in (*slow, fast):
        hub.join(member, board.find("trades:BTC-USD"), "max")
    for member in slow:
        member.stall()
    for seq in range(1, STREAM_BOUND + 20):
        publish(hub, board, "trades:BTC-USD", seq)
        await turn()
    assert all(member.cut for member in slow)
    assert fast.seqs() == list(range(1, STREAM_BOUND + 20))


async def test_paced_lanes_get_what_changed_since_their_last_turn(hub: Hub, board: Board) -> None:
    paced, full = Note(), Note()
    hub.join(paced, board.find("trades:BTC-USD"), 4)
    hub.join(full, board.find("trades:BTC-USD"), "max")
    turning = asyncio.create_task(hub.run())
    for seq in range(1, 6):
        publish(hub, board, "trades:BTC-USD", seq)
        await turn()
    assert full.seqs() == [1, 2, 3, 4, 5]
    assert paced.frames == []
    async with asyncio.timeout(5):
        while not paced.frames:
            await asyncio.sleep(0.01)
    turning.cancel()
    [frame] = paced.frames
    merged = orjson.loads(frame[frame.index(b"{") : -1])
    assert [item["id"] for item in merged["data"]] == [1, 2, 3, 4, 5]


async def test_moving_to_another_rate_leaves_the_first(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find("price:BTC-USD"), 1)
    hub.join(member, board.find("price:BTC-USD"), "max")
    hub.join(member, board.find("price:BTC-USD"), "max")
    publish(hub, board, "price:BTC-USD", 1)
    await turn()
    assert member.seqs() == [1]
    assert len(member.lanes) == 1


ROOMS = ("price:BTC-USD", "price:ETH-USD", "trades:BTC-USD")


async def test_several_rooms_leave_in_one_piece(
    hub: Hub, board: Board, end_windows: Callable[[], None]
) -> None:
    member = Note()
    for room in ROOMS:
        hub.join(member, board.find(room), "max")
    for room in ROOMS:
        publish(hub, board, room, 1)
    await turn()
    assert member.said() == [(room, 1) for room in ROOMS]
    assert len(member.written) == 1
    for seq in (2, 3):
        publish(hub, board, ROOMS[0], seq)
        publish(hub, board, ROOMS[2], seq)
        await turn()
    assert len(member.written) == 1
    end_windows()
    await turn()
    assert len(member.written) == 2
    assert member.said()[3:] == [(ROOMS[0], 2), (ROOMS[2], 2), (ROOMS[0], 3), (ROOMS[2], 3)]
    end_windows()
    await turn()
    publish(hub, board, ROOMS[1], 9)
    await turn()
    assert member.said()[-1] == (ROOMS[1], 9)


async def test_what_is_gathered_leaves_before_the_socket_is_left_alone(
    hub: Hub, board: Board, end_windows: Callable[[], None]
) -> None:
    member = Note()
    for room in ROOMS:
        hub.join(member, board.find(room), "max")
    for seq in (1, 2):
        publish(hub, board, ROOMS[0], seq)
        await turn()
    assert member.seqs() == [1]
    member.stall()
    assert member.seqs() == [1, 2]
    publish(hub, board, ROOMS[0], 3)
    await turn()
    end_windows()
    await turn()
    assert member.seqs() == [1, 2]
    member.resume()
    assert member.seqs() == [1, 2, 3]
    hub.leave(member, ROOMS[1])
    publish(hub, board, ROOMS[0], 4)
    await turn()
    assert member.seqs() == [1, 2, 3, 4]


@pytest.mark.parametrize("rate", ["max", 20])
async def test_who_comes_while_a_change_waits_gets_only_what_is_newer(
    hub: Hub, board: Board, rate: Rate
) -> None:
    turning = asyncio.create_task(hub.run())
    early, late = Note(), Note()
    for room in ROOMS[1:]:
        hub.join(early, board.find(room), rate)
    publish(hub, board, ROOMS[1], 1)
    publish(hub, board, ROOMS[2], 1)
    for room in ROOMS[1:]:
        hub.join(late, board.find(room), rate)
    await until(lambda: early.said() == [(ROOMS[1], 1), (ROOMS[2], 1)])
    assert late.frames == []
    publish(hub, board, ROOMS[2], 2)
    publish(hub, board, ROOMS[1], 2)
    await until(lambda: len(early.frames) == 4)
    assert sorted(late.said()) == [(ROOMS[1], 2), (ROOMS[2], 2)]
    turning.cancel()


async def test_a_late_one_gets_the_part_of_a_stream_that_is_new(hub: Hub, board: Board) -> None:
    early, late = Note(), Note()
    hub.join(early, board.find(ROOMS[2]), "max")
    publish(hub, board, ROOMS[2], 1)
    hub.join(late, board.find(ROOMS[2]), "max")
    publish(hub, board, ROOMS[2], 2)
    await turn()
    assert [trade_ids(frame) for frame in early.frames] == [[1, 2]]
    assert [trade_ids(frame) for frame in late.frames] == [[2]]


async def test_subscribing_again_gives_no_change_twice(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find(ROOMS[0]), "max")
    publish(hub, board, ROOMS[0], 1)
    hub.join(member, board.find(ROOMS[0]), "max")
    await turn()
    assert member.frames == []
    publish(hub, board, ROOMS[0], 2)
    await turn()
    assert member.seqs() == [2]


async def test_who_subscribes_again_is_not_owed_what_its_snapshot_has(
    hub: Hub, board: Board
) -> None:
    member = Note()
    for room in (ROOMS[0], ROOMS[2]):
        hub.join(member, board.find(room), "max")
    member.stall()
    for room in (ROOMS[0], ROOMS[2]):
        publish(hub, board, room, 1)
    await turn()
    for room in (ROOMS[0], ROOMS[2]):
        hub.join(member, board.find(room), "max")
    member.resume()
    assert member.frames == []
    publish(hub, board, ROOMS[2], 2)
    await turn()
    assert member.seqs() == [2]


async def test_what_was_paid_is_not_sent_again(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find(ROOMS[0]), "max")
    member.stall()
    publish(hub, board, ROOMS[0], 1)
    await turn()
    publish(hub, board, ROOMS[0], 2)
    member.resume()
    await turn()
    assert member.seqs() == [2]


class Slow(Note):
    """Takes a millisecond for each write."""

    def __init__(self) -> None:
        super().__init__()
        self.set_write(self.take)

    def take(self, frame: bytes) -> None:
        time.sleep(0.001)
        self.written.append(frame)


async def test_a_long_fan_out_lets_the_loop_on_and_sends_the_newest(hub: Hub, board: Board) -> None:
    slow = [Slow() for _ in range(12)]
    quick = [Note() for _ in range(2 * WRITES_PER_STEP)]
    members = [*slow, *quick]
    for member in members:
        hub.join(member, board.find(ROOMS[0]), "max")
    publish(hub, board, ROOMS[0], 1)
    await turn()
    # The first step took longer than a slice; the others are still to come.
    assert slow[-1].seqs() == [1]
    assert quick[-1].seqs() == []
    gone, stalled, again, new = quick[-1], quick[-2], quick[-3], Note()
    knows = quick[-5]
    hub.join(knows, board.find(ROOMS[0]), "max")
    hub.leave(gone, ROOMS[0])
    stalled.stall()
    publish(hub, board, ROOMS[0], 2)
    publish(hub, board, ROOMS[0], 3)
    hub.join(again, board.find(ROOMS[0]), "max")
    hub.join(new, board.find(ROOMS[0]), "max")
    await until(lambda: quick[-4].seqs() == [1, 3])
    assert slow[0].seqs() == [1, 3]
    assert gone.frames == again.frames == new.frames == stalled.frames == []
    assert knows.seqs() == [3]
    stalled.resume()
    assert stalled.seqs() == [3]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_each_member_goes_forward_to_the_newest(data: st.DataObject) -> None:
    asyncio.run(_whatever_happens(data))


async def _whatever_happens(data: st.DataObject) -> None:
    board = Board()
    board.take_markets(b'[{"market":"BTC-USD"},{"market":"ETH-USD"}]')
    hub = Hub(0.001)
    members = [Note() for _ in range(4)]
    known: dict[tuple[int, str], int] = {}
    stalled: set[int] = set()
    seqs = dict.fromkeys(ROOMS, 0)
    acts = st.sampled_from(
        ["publish", "publish", "join", "leave", "stall", "resume", "turn", "wait"]
    )
    for act in data.draw(st.lists(acts, max_size=60)):
        who = data.draw(st.integers(0, len(members) - 1))
        room = data.draw(st.sampled_from(ROOMS))
        member = members[who]
        match act:
            case "publish":
                seqs[room] += 1
                publish(hub, board, room, seqs[room])
            case "join":
                # As an answer does: what was gathered goes first, then the snapshot.
                hub.join(member, board.find(room), "max")
                member.uncork()
                member.written.append(snapshot(room, seqs[room]))
                known[who, room] = seqs[room]
            case "leave":
                hub.leave(member, room)
                known.pop((who, room), None)
            case "stall":
                member.stall()
                stalled.add(who)
            case "resume":
                member.resume()
                stalled.discard(who)
            case "turn":
                await turn()
            case "wait":
                await asyncio.sleep(0.004)
    for who in stalled:
        members[who].resume()
    await asyncio.sleep(0.01)
    for who, member in enumerate(members):
        for room in ROOMS:
            got = [(seq, whole) for name, seq, whole in events(member) if name == room]
            for (before, _), (after, is_snapshot) in pairwise(got):
                assert before < after or is_snapshot
            if (who, room) in known:
                assert not member.cut
                assert (got[-1][0] if got else 0) == seqs[room]


def snapshot(room: str, seq: int) -> bytes:
    body = orjson.dumps({"room": room, "seq": seq, "whole": True})
    return frame(TEXT, b'42["x",' + body + b"]")


def events(member: Note) -> list[tuple[str, int, bool]]:
    bodies = [orjson.loads(item[item.index(b"{") : -1]) for item in member.frames]
    return [(body["room"], body["seq"], body.get("whole", False)) for body in bodies]


def trade_ids(item: bytes) -> list[int]:
    return [trade["id"] for trade in orjson.loads(item[item.index(b"{") : -1])["data"]]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.001)
