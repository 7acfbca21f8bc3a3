"""What clients ask of the main namespace: ``subscribe``, ``unsubscribe``, ``resume`` and
``authenticate``; and the heartbeat."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any, Final, cast

import orjson
from socketio.exceptions import ConnectionRefusedError as Refusal

from api.realtime import packets
from api.realtime.accounts import Accounts
from api.realtime.delivery import Ride
from api.realtime.hub import RATES, Hub, Rate
from api.realtime.session import Session
from api.realtime.socketio_server import SocketServer
from api.tape.board import Board
from api.tape.rooms import Room, TradesRoom
from domain.errors import InputError, PerpError
from runtime.channels import ACCOUNT_ROOM, room_kind
from runtime.clock import wall_us
from runtime.logs import get_logger

HEARTBEAT: Final = "heartbeat"
HEARTBEAT_S: Final = 1.0
PULSES: Final = 20
"""Groups of clients, whose heartbeats are spread over the second: one to everybody at once would
hold up what the rooms say for as long as it takes to write to all."""
PULSES_AHEAD: Final = 10
"""So long before its pulse a client's heartbeat goes along with whatever else is sent to it: most
of them cost no write of their own then."""
SEQ_BOUND: Final = 2**53 - 1

_log = get_logger(__name__)


class Heartbeat:
    """A room that all clients of one pulse are in, with an event of its own form."""

    stream = False

    def __init__(self, pulse: int, board: Board) -> None:
        self.name = f"{HEARTBEAT}:{pulse}"
        self.version = 0
        self.ride = Ride()
        self._board = board

    def beat(self) -> None:
        self.version += 1

    @property
    def shown(self) -> bytes:
        return told(self._board)

    def since(self, version: int) -> bytes:
        del version
        return self.shown

    def catch_up(self) -> bytes:
        return self.shown


def told(board: Board) -> bytes:
    return orjson.dumps(
        {"ts_us": wall_us(), "feed_us": board.feed_us, "epoch": board.epoch or None}
    )


class Subscriptions:
    """Registers itself with ``server``. ``run`` sends the heartbeat."""

    def __init__(self, server: SocketServer, hub: Hub, board: Board, accounts: Accounts) -> None:
        self._server = server
        self._hub = hub
        self._board = board
        self._accounts = accounts
        self._heartbeats = [Heartbeat(pulse, board) for pulse in range(PULSES)]
        self._joining = cycle(self._heartbeats)
        server.on_join = self._welcome
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        server.on("subscribe", self._answering(self._subscribe))
        server.on("unsubscribe", self._answering(self._unsubscribe))
        server.on("resume", self._answering(self._resume))
        server.on("authenticate", self._answering(self._authenticate))
        server.on("*", self._unknown)

    async def run(self) -> None:
        due_s = asyncio.get_running_loop().time()
        ahead = deque(self._heartbeats[:PULSES_AHEAD])
        coming = cycle(self._heartbeats[PULSES_AHEAD:] + self._heartbeats[:PULSES_AHEAD])
        while True:
            now_s = asyncio.get_running_loop().time()
            # Who was held up for long goes on from there.
            due_s = max(due_s + HEARTBEAT_S / PULSES, now_s - HEARTBEAT_S)
            await asyncio.sleep(due_s - now_s)
            newest = packets.event(HEARTBEAT, told(self._board)).frame
            begun = next(coming)
            ahead.append(begun)
            for heartbeat in ahead:
                heartbeat.ride.frame = newest
            begun.ride.begin()
            due = ahead.popleft()
            due.ride.end()
            due.beat()
            self._hub.mark(due.name)

    def _welcome(self, session: Session) -> None:
        heartbeat = next(self._joining)
        self._hub.join(session, heartbeat, "max", heartbeat.ride)

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        del environ
        session = self._server.session_of(sid)
        if session is None or not auth or auth.get("token") is None:
            return
        try:
            await self._accounts.authenticate(session, _token(auth))
        except PerpError as error:
            raise Refusal(error.message, {"code": error.code}) from None

    async def _disconnect(self, sid: str, reason: str) -> None:
        del reason
        session = self._server.session_of(sid)
        if session is not None:
            self._accounts.forget(session)
            session.leave_all()

    def _answering(
        self, handle: Callable[[Session, dict[str, Any]], Awaitable[dict[str, Any]]]
    ) -> Any:
        """A handler that answers whatever the client sends, and only that."""

        async def handler(sid: str, *arguments: Any) -> dict[str, Any]:
            session = self._server.session_of(sid)
            try:
                if session is None:
                    return _failed([_error(None, "BAD_REQUEST", "not connected")])
                if len(arguments) != 1 or not isinstance(arguments[0], dict):
                    return _failed([_error(None, "BAD_REQUEST", "one object is expected")])
                return await handle(session, arguments[0])
            except PerpError as error:
                return _failed([_error(None, error.code, error.message)])
            except Exception as error:
                _log.exception("event_failed", error=repr(error))
                return _failed([_error(None, "INTERNAL", "the server failed")])

        return handler

    async def _unknown(self, event: str, sid: str, *arguments: Any) -> dict[str, Any]:
        del event, sid, arguments
        return _failed([_error(None, "BAD_REQUEST", "no such event in this version")])

    async def _subscribe(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        rooms = _rooms(request, {"rooms", "rate"})
        rate = request.get("rate", "max")
        if isinstance(rate, bool | float) or rate not in RATES:
            raise InputError("BAD_REQUEST", 'rate is "max", 1, 4, 10 or 20')
        snapshots: dict[str, orjson.Fragment] = {}
        errors = []
        if ACCOUNT_ROOM in rooms:
            # First of all, since this is awaited.
            rooms.remove(ACCOUNT_ROOM)
            try:
                snapshots[ACCOUNT_ROOM] = orjson.Fragment(await self._accounts.subscribe(session))
            except PerpError as error:
                errors.append(_error(ACCOUNT_ROOM, error.code, error.message))
            if session.closed:
                return _failed([_error(None, "BAD_REQUEST", "not connected")])
        now_us = wall_us()
        for name in rooms:
            try:
                room = self._enter(session, name, cast(Rate, rate))
            except InputError as error:
                errors.append(_error(name, error.code, error.message))
                continue
            snapshots[name] = orjson.Fragment(room.snapshot(self._board.epoch, now_us))
        if errors:
            return {"ok": False, "rooms": snapshots, "errors": errors}
        return {"ok": True, "rooms": snapshots}

    def _enter(self, session: Session, name: str, rate: Rate | None = None) -> Room:
        """``rate``: None leaves that of a room the client is in. Nothing may be awaited from here
        until the answer is written, so that no update can come before it. Raises InputError."""
        room = self._board.find(name)
        is_in = self._hub.has(session, name)
        # The heartbeat is a lane of every session that is nobody's subscription.
        if not is_in and not session.use.may_join(len(session.lanes) - 1):
            raise InputError("TOO_MANY_ROOMS", session.use.rooms_bound)
        self._hub.join(session, room, rate)
        return room

    async def _resume(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        """After a lost connection: of a state room the newest, of a stream what was missed."""
        unknown = request.keys() - {"room", "last_seq"}
        if unknown:
            raise InputError("BAD_REQUEST", f"unknown field {sorted(unknown)[0][:40]}")
        name, last_seq = request.get("room"), request.get("last_seq")
        if not isinstance(name, str):
            raise InputError("BAD_REQUEST", "room is a name")
        if type(last_seq) is not int or not 0 <= last_seq <= SEQ_BOUND:
            raise InputError("BAD_REQUEST", "last_seq is the seq of the last envelope")
        if name == ACCOUNT_ROOM:
            return await self._resume_account(session, last_seq)
        try:
            room = self._enter(session, name)
        except InputError as error:
            return _failed([_error(name, error.code, error.message)])
        missed = room.missed(last_seq) if isinstance(room, TradesRoom) else None
        if missed is not None:
            return {"ok": True, "rooms": {name: orjson.Fragment(missed)}}
        rooms = {name: orjson.Fragment(room.snapshot(self._board.epoch, wall_us()))}
        if room.stream:
            gap = _error(name, "GAP", "what was missed is not kept: GET /v1/trades has more")
            return {"ok": False, "rooms": rooms, "errors": [gap]}
        return {"ok": True, "rooms": rooms}

    async def _resume_account(self, session: Session, last_seq: int) -> dict[str, Any]:
        try:
            snapshot = await self._accounts.resume(session, last_seq)
        except PerpError as error:
            return _failed([_error(ACCOUNT_ROOM, error.code, error.message)])
        if snapshot is None:
            return {"ok": True, "rooms": {}}
        gap = _error(ACCOUNT_ROOM, "GAP", "what was missed is not kept: read what you need anew")
        return {"ok": False, "rooms": {ACCOUNT_ROOM: orjson.Fragment(snapshot)}, "errors": [gap]}

    async def _authenticate(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        if request.keys() != {"token"}:
            raise InputError("BAD_REQUEST", "token is expected, and nothing else")
        await self._accounts.authenticate(session, _token(request))
        return {"ok": True}

    async def _unsubscribe(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        for name in _rooms(request, {"rooms"}):
            if name == ACCOUNT_ROOM:
                self._accounts.leave(session)
            elif room_kind(name) != HEARTBEAT:
                self._hub.leave(session, name)
        return {"ok": True}


def _rooms(request: dict[str, Any], fields: set[str]) -> list[str]:
    """Raises InputError ``BAD_REQUEST``."""
    unknown = request.keys() - fields
    if unknown:
        raise InputError("BAD_REQUEST", f"unknown field {sorted(unknown)[0][:40]}")
    rooms = request.get("rooms")
    if not isinstance(rooms, list) or not rooms or not all(isinstance(r, str) for r in rooms):
        raise InputError("BAD_REQUEST", "rooms is a list of names, not empty")
    return list(dict.fromkeys(rooms))


def _token(request: dict[str, Any]) -> str:
    """Raises InputError ``TOKEN_INVALID``."""
    token = request["token"]
    if not isinstance(token, str):
        raise InputError("TOKEN_INVALID", "a token is a string")
    return token


def _error(room: str | None, code: str, message: str) -> dict[str, Any]:
    return {"room": room, "code": code, "message": message}


def _failed(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ok": False, "rooms": {}, "errors": errors}
