"""The HTTP long-polling transport and its endpoint."""

import asyncio
import contextlib
from typing import Final, Protocol

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.realtime import handshake, packets
from api.realtime.engine import Engine
from api.realtime.handshake import Refused, TransportName
from api.realtime.packets import Packet, PacketError
from api.realtime.session import ANSWERS_BOUND, Reason, Session

PACKETS_PER_POLL: Final = 16
"""The Python client refuses payloads with more."""
BODY_TIMEOUT_S: Final = 10.0
LATE_POLL_S: Final = 0.05
"""How long a close waits for the poll that it ends, which may come later by another connection."""


class Candidate(Protocol):
    """A WebSocket the client tries out before it leaves polling."""

    def abandon(self) -> None:
        """The session has ended."""


class PollingTransport:
    """Everything is owed until the client asks for it."""

    name: TransportName = "polling"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.in_post = False
        self._answers: list[Packet] = []
        self._answers_bytes = 0
        self._poll: asyncio.Future[None] | None = None
        self._late_poll: asyncio.Event | None = None
        self._candidate: Candidate | None = None
        self._tested = False
        self._last_word: Packet | None = None

    # For the session

    def send(self, packet: Packet) -> None:
        if self._answers_bytes > ANSWERS_BOUND:
            self.session.cut_off()
            return
        self._answers.append(packet)
        self._answers_bytes += len(packet.data)
        self.wake()

    def wake(self) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def pause_reading(self) -> None:
        """A POST is answered when its packets are handled, which is all the restraint needed."""

    def resume_reading(self) -> None: ...

    def close(self, reason: Reason, code: int, text: str) -> None:
        del code, text
        self._end(packets.NOOP if reason == "client disconnect" else packets.CLOSE)
        if self._candidate is not None:
            self._candidate.abandon()

    # For the WebSocket of an upgrade

    def admit(self, candidate: Candidate) -> bool:
        """Whether it may be tried: one at a time."""
        if self._candidate is not None:
            return False
        self._candidate = candidate
        return True

    def tested(self) -> None:
        """The candidate works. From now on no poll may be left waiting: the client ends its last
        one before it changes over."""
        self._tested = True
        self.wake()

    def dismiss(self) -> None:
        self._candidate = None
        self._tested = False

    def hand_over(self) -> list[Packet] | None:
        """Ends this transport and returns what the next one must send first; None when the
        candidate was not tested."""
        if not self._tested:
            return None
        answers = list(self._answers)
        self._end(packets.NOOP)
        return answers

    # For the endpoint

    def begin_poll(self) -> asyncio.Future[None]:
        """Done when ``take`` has something. To be ended by ``end_poll``.

        Raises Refused, and ends the session, when the client is in another poll.
        """
        if self._poll is not None:
            self.session.close("transport error")
            raise handshake.bad_request()
        self._poll = asyncio.get_running_loop().create_future()
        if self._late_poll is not None:
            self._late_poll.set()
        if self._answers or self.session.is_owed or self._tested:
            self.wake()
        return self._poll

    def end_poll(self) -> None:
        self._poll = None

    async def until_poll(self) -> None:
        """Returns when the client is in a poll, or after ``LATE_POLL_S``."""
        if self._poll is None:
            self._late_poll = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LATE_POLL_S):
                    await self._late_poll.wait()

    def take(self) -> list[Packet]:
        """What is owed, at least one packet."""
        if self._last_word is not None:
            return [self._last_word]
        taken = self._answers[:PACKETS_PER_POLL]
        del self._answers[: len(taken)]
        self._answers_bytes -= sum(len(packet.data) for packet in taken)
        while len(taken) < PACKETS_PER_POLL:
            packet = self.session.next_owed()
            if packet is None:
                break
            taken.append(packet)
        return taken or [packets.NOOP]

    def _end(self, last_word: Packet) -> None:
        self._last_word = last_word
        self._answers.clear()
        self.wake()


class PollingEndpoint:
    """ASGI application for the path of the engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._check(scope, receive)
        except Refused as refused:
            response = Response(refused.body, refused.status, media_type="application/json")
        if response is not None:
            await response(scope, receive, send)

    async def _check(self, scope: Scope, receive: Receive) -> Response | None:
        """None when the client has gone."""
        headers = Headers(scope=scope)
        query = scope["query_string"].decode("latin-1")
        sid = handshake.check(query, headers, "polling")
        if sid is not None:
            return await self.answer(sid, scope, receive)
        if scope["method"] != "GET":
            raise handshake.bad_method()
        return self._open(scope)

    async def answer(self, sid: str, scope: Scope, receive: Receive) -> Response | None:
        """To a request for the session ``sid``; None when the client has gone. Raises Refused."""
        session = self.engine.find(sid)
        transport = session.transport
        if not isinstance(transport, PollingTransport):
            raise handshake.bad_request()
        if scope["method"] == "GET":
            return await self._poll(session, transport, receive)
        if scope["method"] == "POST":
            return await self._post(session, transport, receive)
        raise handshake.bad_method()

    def _open(self, scope: Scope) -> Response:
        client = scope.get("client")
        peer = client[0] if client else ""
        session = self.engine.new_session(peer)
        session.open(PollingTransport(session), peer)
        return _payload([self.engine.open_packet(session)])

    async def _poll(
        self, session: Session, transport: PollingTransport, receive: Receive
    ) -> Response | None:
        due = transport.begin_poll()
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            await asyncio.wait({due, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                return _payload(transport.take())
            session.close("transport error")
            return None
        finally:
            transport.end_poll()
            gone.cancel()
            await asyncio.wait({gone})

    async def _post(
        self, session: Session, transport: PollingTransport, receive: Receive
    ) -> Response:
        if transport.in_post:
            session.close("transport error")
            raise handshake.bad_request()
        transport.in_post = True
        try:
            body = await read_body(receive, self.engine.limits.max_payload)
            if session.closed:
                raise handshake.unknown_session()
            for packet in packets.decode_payload(body):
                if packet == packets.CLOSE_BY_CLIENT:
                    await transport.until_poll()
                session.receive(packet)
            await session.settled()
        except PacketError:
            session.close("transport error")
            raise handshake.bad_request() from None
        finally:
            transport.in_post = False
        return Response("ok", media_type="text/html")


def _payload(taken: list[Packet]) -> Response:
    return Response(packets.encode_payload(taken), media_type="text/plain; charset=UTF-8")


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(receive: Receive, limit: int) -> bytes:
    """Raises Refused when the body is too long or takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise handshake.bad_request()
                body += message.get("body", b"")
                if len(body) > limit:
                    raise Refused(3, "Payload too large", 413)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(3, "Request timeout", 408) from None
