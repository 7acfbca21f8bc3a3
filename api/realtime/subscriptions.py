"""What clients ask of the main namespace: ``subscribe``, ``unsubscribe`` and ``resume``, and the
heartbeat."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import orjson
from socketio.exceptions import ConnectionRefusedError as Refusal

from api.realtime.hub import RATES, Hub, Rate
from api.realtime.session import Session
from api.realtime.socketio_server import SocketServer
from api.tape.board import Board
from api.tape.rooms import Room, TradesRoom
from domain.errors import InputError
from runtime.clock import wall_us
from runtime.logs import get_logger

HEARTBEAT_S: Final = 1.0
SEQ_BOUND: Final = 2**53 - 1

_log = get_logger(__name__)


class Heartbeat:
    """A room every client is in, with an event of its own form."""

    name = "heartbeat"
    stream = False

    def __init__(self, board: Board) -> None:
        self.version = 0
        self._board = board

    def beat(self) -> None:
        self.version += 1

    @property
    def shown(self) -> bytes:
        board = self._board
        return orjson.dumps(
            {"ts_us": wall_us(), "feed_us": board.feed_us, "epoch": board.epoch or None}
        )

    def since(self, version: int) -> bytes:
        del version
        return self.shown

    def catch_up(self) -> bytes:
        return self.shown


class Subscriptions:
    """Registers itself with ``server``. ``run`` sends the heartbeat."""

    def __init__(self, server: SocketServer, hub: Hub, board: Board) -> None:
        self._server = server
        self._hub = hub
        self._board = board
        self._heartbeat = Heartbeat(board)
        server.on_join = self._welcome
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)
        server.on("subscribe", self._answering(self._subscribe))
        server.on("unsubscribe", self._answering(self._unsubscribe))
        server.on("resume", self._answering(self._resume))
        server.on("*", self._unknown)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            self._heartbeat.beat()
            self._hub.mark(self._heartbeat.name)

    def _welcome(self, session: Session) -> None:
        self._hub.join(session, self._heartbeat, "max")

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        del sid, environ
        if auth and auth.get("token") is not None:
            raise Refusal(
                "this version has no accounts: connect without a token",
                {"code": "AUTH_UNAVAILABLE"},
            )

    async def _disconnect(self, sid: str, reason: str) -> None:
        del reason
        session = self._server.session_of(sid)
        if session is not None:
            session.leave_all()

    def _answering(self, handle: Callable[[Session, dict[str, Any]], dict[str, Any]]) -> Any:
        """A handler that answers whatever the client sends, and only that."""

        async def handler(sid: str, *arguments: Any) -> dict[str, Any]:
            session = self._server.session_of(sid)
            try:
                if session is None:
                    return _failed([_error(None, "BAD_REQUEST", "not connected")])
                if len(arguments) != 1 or not isinstance(arguments[0], dict):
                    return _failed([_error(None, "BAD_REQUEST", "one object is expected")])
                return handle(session, arguments[0])
            except InputError as error:
                return _failed([_error(None, error.code, error.message)])
            except Exception as error:
                _log.exception("event_failed", error=repr(error))
                return _failed([_error(None, "INTERNAL", "the server failed")])

        return handler

    async def _unknown(self, event: str, sid: str, *arguments: Any) -> dict[str, Any]:
        del event, sid, arguments
        return _failed([_error(None, "BAD_REQUEST", "no such event in this version")])

    def _subscribe(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        rooms = _rooms(request, {"rooms", "rate"})
        rate = request.get("rate", "max")
        if isinstance(rate, bool | float) or rate not in RATES:
            raise InputError("BAD_REQUEST", 'rate is "max", 1, 4, 10 or 20')
        snapshots: dict[str, orjson.Fragment] = {}
        errors = []
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

    def _resume(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        """After a lost connection: of a state room the newest, of a stream what was missed."""
        unknown = request.keys() - {"room", "last_seq"}
        if unknown:
            raise InputError("BAD_REQUEST", f"unknown field {sorted(unknown)[0][:40]}")
        name, last_seq = request.get("room"), request.get("last_seq")
        if not isinstance(name, str):
            raise InputError("BAD_REQUEST", "room is a name")
        if type(last_seq) is not int or not 0 <= last_seq <= SEQ_BOUND:
            raise InputError("BAD_REQUEST", "last_seq is the seq of the last envelope")
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

    def _unsubscribe(self, session: Session, request: dict[str, Any]) -> dict[str, Any]:
        for name in _rooms(request, {"rooms"}):
            if name != self._heartbeat.name:
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


def _error(room: str | None, code: str, message: str) -> dict[str, Any]:
    return {"room": room, "code": code, "message": message}


def _failed(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ok": False, "rooms": {}, "errors": errors}
