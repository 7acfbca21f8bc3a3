"""The heartbeat goes along with other frames; who gets none has it in its turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.realtime.delivery import Ride
from api.realtime.frames import TEXT, frame
from api.realtime.hub import Hub
from api.tape.board import Board
from tests.unit.api.hub_kit import Note, publish, turn

BEAT = frame(TEXT, b'42["heartbeat",{"n":1}]')


class Beat:
    name = "heartbeat:0"
    stream = False
    shown = b'{"n":1}'

    def __init__(self) -> None:
        self.version = 0
        self.ride = Ride()

    def since(self, version: int) -> bytes:
        return self.shown

    def catch_up(self) -> bytes:
        return self.shown


class Rig:
    """One pulse, one room, and a hub."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.board = Board()
        self.board.take_markets(b'[{"market":"BTC-USD"},{"market":"ETH-USD"}]')
        self.beat = Beat()
        self.seq = 0

    def comes(self, *rooms: str) -> Note:
        note = Note()
        self.hub.join(note, self.beat, "max", self.beat.ride)
        for room in rooms:
            self.hub.join(note, self.board.find(room), "max")
        return note

    def begin(self) -> None:
        self.beat.ride.frame = BEAT
        self.beat.ride.begin()

    async def change(self, room: str = "price:BTC-USD") -> None:
        self.seq += 1
        publish(self.hub, self.board, room, self.seq)
        await turn()

    async def end(self) -> None:
        self.beat.ride.end()
        self.beat.version += 1
        self.hub.mark(self.beat.name)
        await turn()


def beats(note: Note) -> int:
    return note.frames.count(BEAT)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_it_rides_with_the_next_frame_in_one_write_and_once(rig: Rig) -> None:
    note = rig.comes("price:BTC-USD")
    await rig.change()
    assert beats(note) == 0
    rig.begin()
    await rig.change()
    await rig.change()
    assert [piece.startswith(BEAT) for piece in note.written] == [False, True, False]
    assert len(note.frames) == 4
    await rig.end()
    assert beats(note) == 1


async def test_who_was_sent_nothing_has_it_in_its_turn(rig: Rig) -> None:
    quiet, other = rig.comes(), rig.comes("price:ETH-USD")
    rig.begin()
    await rig.change()
    assert quiet.written == other.written == []
    await rig.end()
    assert quiet.written == other.written == [BEAT]
    await rig.change("price:ETH-USD")
    assert beats(other) == 1


async def test_who_comes_during_a_round_has_it_too_and_after_its_end_the_next(rig: Rig) -> None:
    rig.begin()
    early = rig.comes()
    await rig.end()
    late = rig.comes("price:BTC-USD")
    await rig.change()
    assert (beats(early), beats(late)) == (1, 0)
    rig.begin()
    await rig.end()
    assert (beats(early), beats(late)) == (2, 1)


async def test_a_full_socket_is_owed_one_and_no_second(rig: Rig) -> None:
    note = rig.comes("price:BTC-USD")
    note.stall()
    rig.begin()
    await rig.change()
    await rig.end()
    rig.begin()
    await rig.end()
    note.resume()
    assert beats(note) == 1
    await rig.change()
    assert beats(note) == 1


ACTS = st.lists(st.sampled_from(["begin", "change", "other", "end"]), max_size=40)


@given(acts=ACTS, rooms=st.integers(0, 2))
async def test_everybody_has_one_a_round(acts: list[str], rooms: int) -> None:
    rig = Rig()
    note = rig.comes(*["price:BTC-USD", "price:ETH-USD"][:rooms])
    rounds, is_open = 0, False
    for act in acts:
        if act == "begin" and not is_open:
            rig.begin()
            rounds, is_open = rounds + 1, True
        elif act == "end" and is_open:
            await rig.end()
            is_open = False
        elif act in ("change", "other"):
            await rig.change("price:BTC-USD" if act == "change" else "price:ETH-USD")
    if is_open:
        await rig.end()
    note.uncork()
    assert beats(note) == rounds
