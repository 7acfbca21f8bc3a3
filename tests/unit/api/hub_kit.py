"""Sockets of a hub that only note what is written."""

import asyncio

import orjson

from api.realtime.delivery import Recipient
from api.realtime.hub import Hub
from api.tape.board import Board
from api.tape.rooms import Room
from runtime.wire import Envelope, encode_envelope


class Note(Recipient):
    """Takes frames while it is not stalled."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.woken = 0
        self.cut = False
        self.set_write(self.written.append)

    def wake(self) -> None:
        self.woken += 1

    def cut_off(self) -> None:
        self.cut = True
        self.leave_all()

    def stall(self) -> None:
        self.set_write(None)

    def resume(self) -> None:
        while (packet := self.next_owed()) is not None:
            self.written.append(packet.frame)
        self.set_write(self.written.append)

    @property
    def frames(self) -> list[bytes]:
        return [frame for piece in self.written for frame in split(piece)]

    def said(self) -> list[tuple[str, int]]:
        bodies = [orjson.loads(frame[frame.index(b"{") : -1]) for frame in self.frames]
        return [(body["room"], body["seq"]) for body in bodies]

    def seqs(self) -> list[int]:
        return [seq for _, seq in self.said()]


def split(piece: bytes) -> list[bytes]:
    """WebSocket frames of less than 64 KiB."""
    frames = []
    while piece:
        size = piece[1] + 2 if piece[1] < 126 else int.from_bytes(piece[2:4], "big") + 4
        frames.append(piece[:size])
        piece = piece[size:]
    return frames


async def turn() -> None:
    """Lets the hub do what is marked, or a slice of it."""
    await asyncio.sleep(0)


async def turns() -> None:
    """Lets the hub do all that is marked, however slow the machine is."""
    for _ in range(10):
        await turn()


def publish(hub: Hub, board: Board, room: str, seq: int) -> Room:
    data = [{"id": seq}] if room.startswith("trades") else {"bid": str(seq)}
    body = encode_envelope("update", room, seq, 1, "frame", 1, 1, data)
    changed = board.accept(Envelope(room, seq, body))
    assert changed is not None
    hub.mark(room)
    return changed
