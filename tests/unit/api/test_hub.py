"""Lanes, channels and what is owed, with sockets that only note what is written."""

import asyncio

import orjson
import pytest

from api.realtime.delivery import STREAM_BOUND, Recipient
from api.realtime.hub import Hub
from api.tape.board import Board
from api.tape.rooms import Room
from runtime.wire import Envelope, encode_envelope


class Note(Recipient):
    """Takes frames while it is not stalled."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[bytes] = []
        self.woken = 0
        self.cut = False
        self.set_write(self.frames.append)

    def wake(self) -> None:
        self.woken += 1

    def cut_off(self) -> None:
        self.cut = True
        self.leave_all()

    def stall(self) -> None:
        self.set_write(None)

    def resume(self) -> None:
        while (packet := self.next_owed()) is not None:
            self.frames.append(packet.frame)
        self.set_write(self.frames.append)

    def seqs(self) -> list[int]:
        return [orjson.loads(frame[frame.index(b"{") : -1])["seq"] for frame in self.frames]


@pytest.fixture
def board() -> Board:
    made = Board()
    made.take_markets(b'[{"market":"BTC-USD"},{"market":"ETH-USD"}]')
    return made


@pytest.fixture
def hub() -> Hub:
    return Hub()


def publish(hub: Hub, board: Board, room: str, seq: int) -> Room:
    data = [{"id": seq}] if room.startswith("trades") else {"bid": str(seq)}
    body = encode_envelope("update", room, seq, 1, "frame", 1, 1, data)
    changed = board.accept(Envelope(room, seq, body))
    assert changed is not None
    hub.mark(room)
    return changed


async def test_one_frame_serves_all_members(hub: Hub, board: Board) -> None:
    members = [Note() for _ in range(3)]
    for member in members:
        hub.join(member, board.find("price:BTC-USD"), "max")
    publish(hub, board, "price:BTC-USD", 1)
    hub.flush()
    assert [member.seqs() for member in members] == [[1], [1], [1]]
    assert members[0].frames[0] is members[2].frames[0]


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
        hub.flush()
    assert member.frames == []
    assert len(other.frames) == 10
    member.resume()
    assert member.seqs() == [5, 105]
    publish(hub, board, "price:BTC-USD", 6)
    hub.flush()
    assert member.seqs() == [5, 105, 6]


async def test_streams_are_owed_in_full_to_a_bound(hub: Hub, board: Board) -> None:
    member = Note()
    hub.join(member, board.find("trades:BTC-USD"), "max")
    member.stall()
    for seq in range(1, STREAM_BOUND + 1):
        publish(hub, board, "trades:BTC-USD", seq)
        hub.flush()
    assert not member.cut
    member.resume()
    assert member.seqs() == list(range(1, STREAM_BOUND + 1))
    member.stall()
    for seq in range(1, STREAM_BOUND + 2):
        publish(hub, board, "trades:BTC-USD", 1_000 + seq)
        hub.flush()
    assert member.cut


async def test_who_leaves_is_owed_nothing(hub: Hub, board: Board) -> None:
    member = Note()
    for room in ("price:BTC-USD", "trades:BTC-USD"):
        hub.join(member, board.find(room), "max")
    member.stall()
    publish(hub, board, "price:BTC-USD", 1)
    publish(hub, board, "trades:BTC-USD", 1)
    hub.flush()
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
        hub.flush()
    assert all(member.cut for member in slow)
    assert fast.seqs() == list(range(1, STREAM_BOUND + 20))


async def test_paced_lanes_get_what_changed_since_their_last_turn(hub: Hub, board: Board) -> None:
    paced, full = Note(), Note()
    hub.join(paced, board.find("trades:BTC-USD"), 4)
    hub.join(full, board.find("trades:BTC-USD"), "max")
    turning = asyncio.create_task(hub.run())
    for seq in range(1, 6):
        publish(hub, board, "trades:BTC-USD", seq)
        hub.flush()
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
    hub.flush()
    assert member.seqs() == [1]
    assert len(member.lanes) == 1
