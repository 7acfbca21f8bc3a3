"""The WebSocket transport: what uvicorn hands the connection to after an upgrade request.

``write`` of the transport below is what rooms call. When the socket is full the session is owed
instead, until ``resume_writing``; the write buffer and the kernel's send buffer are both small, so
that what waits in them cannot grow old.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, cast

from api.peers import DIRECT, FORWARDED_FOR, Peers
from api.realtime import frames, handshake, packets
from api.realtime.engine import CLOSING_NS, PROBING_NS, Engine
from api.realtime.frames import FrameError, FrameParser
from api.realtime.handshake import Refused, TransportName
from api.realtime.packets import Packet, PacketError
from api.realtime.polling import PollingTransport
from api.realtime.session import ANSWERS_BOUND, Reason, Session

HIGH_WATER: Final = 16 * 1024
LOW_WATER: Final = 4 * 1024
SEND_BUFFER: Final = 16 * 1024
"""Of the kernel, half of what it makes of it. Stale prices must not queue where conflation cannot
reach them."""


class WebSocketTransport(asyncio.Protocol):
    """One connection. It carries a session, or is a candidate to take one over from ``_polling``,
    or neither: before the request and after a close frame of ours."""

    engine: Engine
    peers: Peers = DIRECT
    name: TransportName = "websocket"

    def __init__(self, **_uvicorn: Any) -> None:
        self._transport: asyncio.Transport
        self._parser: FrameParser | None = None
        self._session: Session | None = None
        self._polling: PollingTransport | None = None
        self._paused = False
        self._left = False
        self._unreadable = False

    @classmethod
    def bound_to(cls, engine: Engine, **parts: Any) -> type[asyncio.Protocol]:
        """The class to give to uvicorn as ``ws``. ``parts``: other attributes of the class."""
        return type("BoundWebSocketTransport", (cls,), {"engine": engine, **parts})

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER, low=LOW_WATER)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing() or self._unreadable:
            return
        if self._parser is None:
            self._shake_hands(data)
            return
        try:
            for opcode, payload in self._parser.feed(data):
                self._on_frame(opcode, payload)
        except FrameError as error:
            # Nor can the client's close frame be read, which would end the connection.
            self._unreadable = True
            self._fail(error.code, error.reason)
            if not self._transport.is_closing():
                self._transport.write_eof()

    def pause_writing(self) -> None:
        self._paused = True
        if self._session is not None:
            self._session.set_write(None)

    def resume_writing(self) -> None:
        self._paused = False
        self._pay()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = True
        self.engine.release(self)
        self._let_go()

    # Opening

    def _shake_hands(self, data: bytes) -> None:
        request = handshake.parse_upgrade(data)
        try:
            if request.method != "GET":
                raise handshake.bad_method()
            if request.path not in (self.engine.path, self.engine.path + "/"):
                raise handshake.not_found()
            sid = handshake.check(request.query, request.headers, self.name)
            peer = self._peer(request.headers)
            if sid is not None and self.passes_on(sid, data, peer):
                return
            answer = handshake.accept_upgrade(request.headers)
            session = self.engine.new_session(peer) if sid is None else self.engine.find(sid)
        except Refused as refused:
            self._transport.write(refused.http())
            self._transport.close()
            return
        self._transport.write(answer)
        self._parser = FrameParser(self.engine.limits.max_payload)
        if sid is None:
            session.open(self, peer)
            self.send(self.engine.open_packet(session))
            self._carry(session)
        else:
            self.engine.watch(self, PROBING_NS)
            polling = session.transport
            if isinstance(polling, PollingTransport) and polling.admit(self):
                self._polling = polling
            else:
                self._leave(frames.NORMAL, "")

    def passes_on(self, sid: str, request: bytes, peer: str) -> bool:
        """Whether somebody else looks after this connection from now on. ``peer``: the client's
        address. Raises Refused."""
        return False

    def _peer(self, headers: Mapping[str, str]) -> str:
        address = self._transport.get_extra_info("peername")
        connected = str(address[0]) if address else ""
        return self.peers.address(connected, headers.get(FORWARDED_FOR, ""))

    def _carry(self, session: Session) -> None:
        self._session = session
        self._pay()

    def _on_candidate_packet(self, polling: PollingTransport, packet: str | None) -> None:
        """None: a binary one. Raises PacketError."""
        if packet == packets.PROBE:
            self.send(packets.PROBE_ANSWER)
            polling.tested()
            return
        owed = polling.hand_over() if packet == packets.UPGRADE else None
        if owed is None:
            raise PacketError("unexpected packet before the upgrade")
        self._polling = None
        self.engine.release(self)
        session = polling.session
        session.transport = self
        for answer in owed:
            self.send(answer)
        self._carry(session)

    # Receiving

    def _on_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.PING:
            if self._session is not None:
                self._session.charge(len(payload))
            self._write_answer(frames.frame(frames.PONG, payload))
        elif opcode == frames.CLOSE:
            self._leave(frames.close_code(payload), "")
            self._transport.close()
        elif opcode != frames.PONG:
            text = frames.decode_text(payload) if opcode == frames.TEXT else None
            try:
                if self._polling is not None:
                    self._on_candidate_packet(self._polling, text)
                elif self._session is not None:
                    self._session.receive(payload if text is None else text)
            except PacketError as error:
                self._fail(frames.PROTOCOL_ERROR, str(error))

    def _fail(self, code: int, reason: str) -> None:
        """The peer broke the protocol."""
        if self._session is not None:
            self._session.close("transport error", code, reason)
        elif self._polling is not None:
            self._leave(code, reason)
        else:
            self._transport.close()

    # Sending

    def send(self, packet: Packet) -> None:
        self._write_answer(packet.frame)

    def _write_answer(self, frame: bytes) -> None:
        if not self._paused or self._transport.get_write_buffer_size() <= ANSWERS_BOUND:
            self._transport.write(frame)
        elif self._session is not None:
            self._session.cut_off()
        else:
            self._transport.abort()

    def wake(self) -> None:
        """What is owed is paid when the socket takes it."""

    def _pay(self) -> None:
        session = self._session
        while session is not None and not self._paused:
            packet = session.next_owed()
            if packet is None:
                session.set_write(self._transport.write)
                return
            self._transport.write(packet.frame)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    # Closing

    def close(self, reason: Reason, code: int, text: str) -> None:
        del reason
        self._leave(code, text)

    def abandon(self) -> None:
        self._leave(frames.NORMAL, "")

    def _leave(self, code: int, text: str) -> None:
        """Sends the close frame, once; the connection ends when the client answers it or late."""
        if self._left:
            return
        self._left = True
        self._transport.write(frames.close_frame(code, text))
        self.engine.watch(self, CLOSING_NS)
        self._let_go()

    def _let_go(self) -> None:
        polling, self._polling = self._polling, None
        if polling is not None:
            polling.dismiss()
        session, self._session = self._session, None
        if session is not None:
            session.close("transport close")

    def expire(self) -> None:
        self._transport.abort()
