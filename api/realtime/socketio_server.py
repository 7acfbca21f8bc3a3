"""python-socketio on our engine: namespaces, connects, acknowledgements, packet encoding.

What clients send is read by ``socketio_packets``. Malformed input closes the connection, as the
reference implementation does, and nothing is logged that a client can cause.
"""

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Final

import orjson
import socketio
from socketio.packet import Packet

from api.realtime import socketio_packets
from api.realtime.engine import Engine, Limits
from api.realtime.session import Session
from api.realtime.socketio_packets import NAMESPACE, ClientPacket, ClientPacketError

_PACKETS_FAULT: Final = (ValueError, IndexError, KeyError, TypeError, RecursionError)
"""Handlers catch their own errors: what comes out of reading and answering a packet is the packet's
fault (an answer that cannot be written is as deeply nested as what it answers)."""


REFUSED: Final = "too many messages: wait a moment"


class _Json:
    """orjson behind the names the library uses."""

    @staticmethod
    def dumps(value: Any, **_options: Any) -> str:
        return orjson.dumps(value).decode()

    loads = staticmethod(orjson.loads)


class _Packet(Packet):  # type: ignore[misc]
    """Only for what is sent."""

    json: ClassVar[type] = _Json


class _Manager(socketio.AsyncManager):  # type: ignore[misc]
    """Rooms are ours, so a client is only ever in the two rooms the library itself makes."""

    def basic_disconnect(self, sid: str, namespace: str, **_options: Any) -> None:
        # The library's own walks through a copy of all rooms, of which it has one a client.
        self.basic_leave_room(sid, namespace, None)
        self.basic_leave_room(sid, namespace, sid)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]
    """``on_join`` is called when a client has been told that it is connected to the namespace."""

    eio: Engine

    def __init__(
        self, limits: Limits, namespaces: list[str] | None = None, worker: str = "a.1"
    ) -> None:
        logger = logging.getLogger("socketio.server")
        # Below this the library reports what clients do.
        logger.setLevel(logging.ERROR)
        super().__init__(
            client_manager=_Manager(),
            logger=logger,
            serializer=_Packet,
            async_handlers=False,
            namespaces=namespaces or [NAMESPACE],
            limits=limits,
            worker=worker,
        )
        self.on_join: Callable[[Session], None] = lambda session: None
        self.eio.on("refused", self._refuse)

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def session_of(self, sid: str) -> Session | None:
        """The session of a client of the main namespace; None when it has gone."""
        return self.eio.sessions.get(self.manager.eio_sid_from_sid(sid, NAMESPACE))

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        try:
            packet = self._whole_packet(eio_sid, data)
            if packet is not None:
                await self._handle_packet(eio_sid, packet)
        except _PACKETS_FAULT:
            session = self.eio.sessions.get(eio_sid)
            if session is not None:
                session.close("transport error")

    async def _refuse(self, eio_sid: str, data: str | bytes) -> None:
        """Answers a message that is too many with an error, where it asked for an answer."""
        session = self.eio.sessions.get(eio_sid)
        try:
            if eio_sid in self._binary_packet:
                raise ClientPacketError("a packet lacks its attachment")
            packet = socketio_packets.decode(data)
            if packet.kind == "connect":
                await self._send_error(eio_sid, packet.namespace, REFUSED, "RATE_LIMITED")
            elif packet.kind == "event" and packet.number is not None:
                answer = {
                    "ok": False,
                    "rooms": {},
                    "errors": [{"room": None, "code": "RATE_LIMITED", "message": REFUSED}],
                }
                ack = self.packet_class(
                    socketio.packet.ACK,
                    namespace=packet.namespace,
                    id=packet.number,
                    data=[answer],
                )
                await self._send_packet(eio_sid, ack)
        except _PACKETS_FAULT:
            if session is not None:
                session.close("transport error")

    async def _send_error(
        self, eio_sid: str, namespace: str, message: str, code: str | None = None
    ) -> None:
        """Refuses a connect to a namespace."""
        data: dict[str, Any] = {"message": message}
        if code is not None:
            data["data"] = {"code": code}
        error = self.packet_class(socketio.packet.CONNECT_ERROR, data=data, namespace=namespace)
        await self._send_packet(eio_sid, error)

    def _whole_packet(self, eio_sid: str, data: str | bytes) -> ClientPacket | None:
        """None while attachments are missing; the library forgets them with the client."""
        packet: ClientPacket | None = self._binary_packet.pop(eio_sid, None)
        if packet is not None:
            packet.attach(data)
        else:
            packet = socketio_packets.decode(data)
            if packet.kind != "connect" and not self._is_in(eio_sid, packet.namespace):
                raise ClientPacketError("not connected to this namespace")
        if packet.missing:
            self._binary_packet[eio_sid] = packet
            return None
        return packet

    async def _handle_packet(self, eio_sid: str, packet: ClientPacket) -> None:
        match packet.kind:
            case "connect":
                await self._handle_connect(eio_sid, packet.namespace, packet.data)
            case "disconnect":
                await self._handle_disconnect(
                    eio_sid, packet.namespace, self.reason.CLIENT_DISCONNECT
                )
            case "event":
                await self._handle_event(eio_sid, packet.namespace, packet.number, packet.data)
            case "ack":
                await self._handle_ack(eio_sid, packet.namespace, packet.number, packet.data)

    def _is_in(self, eio_sid: str, namespace: str) -> bool:
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        connected: bool = self.manager.is_connected(sid, namespace)
        return connected

    async def _handle_connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        if namespace not in self.namespaces:
            await self._send_error(eio_sid, namespace, "Invalid namespace")
            return
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            raise ClientPacketError("connected to this namespace already")
        await super()._handle_connect(eio_sid, namespace, data)
        session = self.eio.sessions.get(eio_sid)
        if session is not None and self._is_in(eio_sid, namespace):
            session.joined()
            if namespace == NAMESPACE:
                self.on_join(session)
