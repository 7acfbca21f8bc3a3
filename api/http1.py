"""HTTP/1.1 by uvicorn and its fast parser, with what they leave open: a bound for everything that
is no body, and ``Host``; and with the head and the body of an answer in one write."""

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

HEAD_BOUND: Final = 16 * 1024
_UNREADABLE: Final = "Invalid HTTP request received."
_WITHOUT_BODY: Final = (204, 304)


class Http1(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *uvicorns: Any, **named: Any) -> None:
        super().__init__(*uvicorns, **named)
        self._in_head = True
        self._beside_body = 0
        """Bytes of the head, or of the framing and trailers of a body, that came so far."""

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > HEAD_BOUND and not self.transport.is_closing():
            self.send_400_response(_UNREADABLE)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header: what was checked before it came must stay true.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """What is raised here is answered with 400."""
        self._in_head = False
        self._beside_body = 0
        version = self.parser.get_http_version()
        self._check_head(version)
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        bound = self.limit_concurrency
        is_full = bound is not None and max(len(self.connections), len(self.tasks)) >= bound
        app = service_unavailable if is_full else self.app
        before, self.cycle = self.cycle, self._new_cycle(version)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def _check_head(self, version: str) -> None:
        hosts, size = 0, len(self.url)
        for name, value in self.headers:
            hosts += name == b"host"
            size += len(name) + len(value)
        if size > HEAD_BOUND:
            raise ValueError("a head past the bound")
        if hosts > 1 or (hosts == 0 and version != "1.0"):
            raise ValueError("not one Host")

    def _new_cycle(self, version: str) -> "Cycle":
        return Cycle(
            self.scope,
            self.transport,
            self.flow,
            self.logger,
            self.access_logger,
            self.access_log,
            self.server_state.default_headers,
            asyncio.Event(),
            self.expect_100_continue,
            version != "1.0" and self.parser.should_keep_alive(),
            self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        self._beside_body = max(0, self._beside_body - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._beside_body = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Without a timer for each: the server itself looks for connections that are silent."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())


class Cycle(RequestResponseCycle):
    """One request. The head of its answer waits for the first part of the body."""

    _head = b""

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self.response_started = True
            self.waiting_for_100_continue = False
            self._head = self._head_of(message["status"], message["headers"])
            return
        part, is_last = message.get("body", b""), not message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            part = b""
        elif self.chunked_encoding:
            part = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
            part += b"0\r\n\r\n" if is_last else b""
        else:
            self.expected_content_length -= len(part)
            if self.expected_content_length < 0 or (is_last and self.expected_content_length):
                raise RuntimeError("a body of another length than was said")
        self.transport.write(self._head + part)
        self._head = b""
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _head_of(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Raises RuntimeError for what would end a line, or the head."""
        lines = [STATUS_LINE[status]]
        length, is_told = None, False
        for name, value in (*self.default_headers, *headers):
            lines.append(b"%b: %b\r\n" % (name, value))
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                is_told, self.keep_alive = True, self.keep_alive and value != b"close"
        if not is_told and not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if length is None and status not in _WITHOUT_BODY:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self.expected_content_length = length or 0
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b"\0" in head:
            raise RuntimeError("a header that is none")
        return head + b"\r\n"
