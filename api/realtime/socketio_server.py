"""python-socketio on our engine: namespaces, connects, acknowledgements, packet encoding.

Where the library and the reference implementation differ on malformed input, this follows the
reference: the connection is closed, and nothing is logged that a client can cause.
"""

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Final

import orjson
import socketio
from socketio.packet import Packet

from api.realtime.engine import Engine, Limits
from api.realtime.session import Session

NAMESPACE: Final = "/"
_ATTACHMENTS_BOUND: Final = 8
_RESERVED_EVENTS: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


class _Json:
    """orjson behind the names the library uses; it refuses NaN and bottomless nesting."""

    @staticmethod
    def dumps(value: Any, **_options: Any) -> str:
        return orjson.dumps(value).decode()

    loads = staticmethod(orjson.loads)


class _Packet(Packet):  # type: ignore[misc]
    json: ClassVar[type] = _Json

    def decode(self, encoded_packet: str) -> int:
        """Raises ValueError for whatever is no packet of a client."""
        if not isinstance(encoded_packet, str):
            raise ValueError("binary data without a packet that announced it")
        attachments: int = super().decode(encoded_packet) or 0
        if attachments > _ATTACHMENTS_BOUND:
            raise ValueError("too many attachments")
        if self.packet_type in (socketio.packet.EVENT, socketio.packet.BINARY_EVENT):
            data = self.data
            if not isinstance(data, list) or not data or not isinstance(data[0], str):
                raise ValueError("an event is an array that starts with its name")
            if data[0] in _RESERVED_EVENTS:
                raise ValueError("reserved event name")
        if self.packet_type == socketio.packet.CONNECT and not isinstance(self.data, dict | None):
            raise ValueError("the handshake is an object")
        return attachments


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

    def __init__(self, limits: Limits, namespaces: list[str] | None = None) -> None:
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
        )
        self.on_join: Callable[[Session], None] = lambda session: None

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    def session_of(self, sid: str) -> Session | None:
        """The session of a client of the main namespace; None when it has gone."""
        return self.eio.sessions.get(self.manager.eio_sid_from_sid(sid, NAMESPACE))

    async def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        pending = self._binary_packet.get(eio_sid)
        try:
            if pending is not None and isinstance(data, str):
                raise ValueError("text where an attachment was announced")
            await super()._handle_eio_message(eio_sid, data)
        except (ValueError, IndexError, KeyError, TypeError):
            # Handlers catch their own errors: what comes here is the packet's fault.
            session = self.eio.sessions.get(eio_sid)
            if session is not None:
                session.close("transport error")

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or NAMESPACE
        if namespace not in self.namespaces:
            await self._send_packet(
                eio_sid,
                self.packet_class(
                    socketio.packet.CONNECT_ERROR,
                    data={"message": "Invalid namespace"},
                    namespace=namespace,
                ),
            )
            return
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            raise ValueError("connected to this namespace already")
        await super()._handle_connect(eio_sid, namespace, data)
        session = self.eio.sessions.get(eio_sid)
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if session is not None and self.manager.is_connected(sid, namespace):
            session.joined()
            if namespace == NAMESPACE:
                self.on_join(session)

    async def _handle_event(self, eio_sid: str, namespace: str | None, ack: Any, data: Any) -> None:
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace or NAMESPACE)
        if not self.manager.is_connected(sid, namespace or NAMESPACE):
            raise ValueError("event before the connect packet")
        await super()._handle_event(eio_sid, namespace, ack, data)
