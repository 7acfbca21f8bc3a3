"""One WebSocket client as the indexer sees it: requests in, numbered frames out. Sans-I/O."""

from collections import Counter
from random import Random
from typing import Any, Final, Protocol

import orjson

from sandbox.dydx.feed import BLOCK_HEIGHT, CANDLES, MARKETS, ORDERBOOK, TRADES
from sandbox.dydx.garbage import garble
from sandbox.dydx.tape import RESOLUTIONS
from sandbox.faults import ActiveFaults
from sandbox.outbox import Outbox

CHANNEL_LIMITS: Final = {ORDERBOOK: 32, TRADES: 32, MARKETS: 32, CANDLES: 32, BLOCK_HEIGHT: 1}
_WITHOUT_ID: Final = (MARKETS, BLOCK_HEIGHT)
_LIMIT_POINTS: Final = 2
_LIMIT_US: Final = 1_000_000
_ATTEMPTS_KEPT: Final = 1024

POLICY_VIOLATION: Final = 1008
RATE_LIMITED: Final = '{"message":"Rate limited"}'


class Backend(Protocol):
    """What a session needs of the server around it."""

    faults: ActiveFaults
    now_us: int

    def has_market(self, ticker: str) -> bool: ...
    def fetch(self, session: "Session", request: "Subscribe") -> None: ...
    def register(self, session: "Session", request: "Subscribe") -> None: ...
    def unregister(self, session: "Session", channel: str, key: str) -> None: ...


class Subscribe:
    """A subscribe request in flight, with the number reserved for its answer."""

    __slots__ = ("batched", "channel", "id", "key", "message_id")

    def __init__(self, channel: str, id_: str | None, batched: bool, message_id: int) -> None:
        self.channel = channel
        self.id = id_
        self.key = channel if id_ is None else id_
        self.batched = batched
        self.message_id = message_id

    @property
    def market(self) -> str | None:
        return None if self.channel in _WITHOUT_ID else self.key.partition("/")[0]


class _Window:
    """The server's limiter: so many points in a window that starts with the first."""

    __slots__ = ("points", "start_us")

    def __init__(self) -> None:
        self.points = 0
        self.start_us = -_LIMIT_US

    def exceeded(self, now_us: int) -> bool:
        if now_us - self.start_us < _LIMIT_US:
            self.points += 1
        else:
            self.start_us = now_us
            self.points = 1
        return self.points > _LIMIT_POINTS


class Session:
    """``closing`` is set to (code, reason) when the server wants to close the socket."""

    def __init__(self, backend: Backend, connection_id: str, rng: Random) -> None:
        self._backend = backend
        self._connection_id = connection_id
        self._message_id = 0
        self._subscribed: dict[tuple[str, str], bool] = {}
        # Counts requests in flight too, as the limit does.
        self._active: Counter[str] = Counter()
        self._attempts: dict[tuple[str, str], _Window] = {}
        self._invalid = _Window()
        self.outbox = Outbox(rng, garble)
        self.closing: tuple[int, str] | None = None
        self.gone = False
        middle = f'","connection_id":"{connection_id}","message_id":'.encode()
        self._data_head = b'{"type":"channel_data' + middle
        self._batch_head = b'{"type":"channel_batch_data' + middle
        self._subscribed_head = b'{"type":"subscribed' + middle
        self._reply({"type": "connected"}, 0)

    def receive(self, message: str | bytes) -> None:
        """One text or binary message of the client."""
        try:
            request = orjson.loads(message)
        except orjson.JSONDecodeError:
            self._refuse_invalid("Invalid message: could not parse")
            return
        if request is None:
            self._error("Internal error", self._message_id)
            return
        kind = request.get("type") if isinstance(request, dict) else None
        if not kind:
            self._refuse_invalid("Invalid message: type is required")
        elif kind == "subscribe":
            if self._is_wellformed(request):
                self._subscribe(request)
        elif kind == "unsubscribe":
            if self._is_wellformed(request):
                self._unsubscribe(request)
        elif kind != "ping":
            self._refuse_invalid(f"Invalid message type: {_js(kind)}")

    def data(self, tail: bytes, market: str | None, *, batch: bool = False) -> None:
        """Channel data: the frame from the end of its message_id on."""
        self._message_id += 1
        head = self._batch_head if batch else self._data_head
        self._put(b"%b%d%b" % (head, self._message_id, tail), market, data=True)

    def fetched(self, request: Subscribe, contents: bytes | None) -> None:
        """The snapshot of a request arrived, or did not (None)."""
        channel, key = request.channel, request.key
        if contents is None:
            self._fail(
                request,
                f"Internal error, could not fetch data for subscription: {channel}.",
                named=True,
            )
            return
        if (channel, key) in self._subscribed:
            text = f"Invalid subscribe message: already subscribed ({channel}-{key})"
            self._fail(request, text, named=True)
            return
        self._subscribed[channel, key] = request.batched
        self._backend.register(self, request)
        named = "" if channel == MARKETS else f',"id":{_quoted(key)}'
        tail = f',"channel":"{channel}"{named},"contents":'.encode() + contents + b"}"
        frame = b"%b%d%b" % (self._subscribed_head, request.message_id, tail)
        self._put(frame, request.market, data=False)

    def leave(self) -> None:
        """The socket is gone: ends every subscription."""
        self.gone = True
        for channel, key in self._subscribed:
            self._backend.unregister(self, channel, key)
        self._subscribed.clear()

    def _is_wellformed(self, request: dict[str, Any]) -> bool:
        channel = request.get("channel")
        if not channel:
            self._error("Invalid subscribe message: channel is required", self._message_id)
        elif not isinstance(channel, str) or channel not in CHANNEL_LIMITS:
            self._error(f"Invalid channel: {_js(channel)}", self._message_id)
        elif channel not in _WITHOUT_ID and not isinstance(request.get("id"), str):
            text = _js(request["id"]) if "id" in request else "undefined"
            self._error(f"Invalid id: {text}", self._message_id)
        else:
            return True
        return False

    def _subscribe(self, raw: dict[str, Any]) -> None:
        self._message_id += 1
        id_ = raw.get("id")
        request = Subscribe(
            raw["channel"],
            None if id_ is None else _js(id_),
            bool(raw.get("batched")),
            self._message_id,
        )
        channel, key = request.channel, request.key
        self._active[channel] += 1
        if not self._is_known(request):
            self._fail(request, f"Invalid subscription id for channel: ({channel}-{key})")
        elif self._active[channel] > (limit := CHANNEL_LIMITS[channel]):
            text = f"Per-connection subscription limit reached for {channel} (limit={limit})."
            self._fail(request, text)
        elif self._too_often(channel, key) or self._backend.faults.whole("rate_limit"):
            # The two blanks are the server's.
            text = f"Too many subscribe attempts for channel {channel}-{key}. Please "
            self._fail(request, text + " reconnect and try again.")
            self.closing = (POLICY_VIOLATION, RATE_LIMITED)
        else:
            self._backend.fetch(self, request)

    def _unsubscribe(self, raw: dict[str, Any]) -> None:
        channel: str = raw["channel"]
        id_ = raw.get("id")
        key = channel if id_ is None else _js(id_)
        if self._subscribed.pop((channel, key), None) is not None:
            self._backend.unregister(self, channel, key)
            self._active[channel] -= 1
        self._message_id += 1
        named = {} if channel == MARKETS or "id" not in raw else {"id": id_}
        self._reply({"type": "unsubscribed"}, self._message_id, {"channel": channel} | named)

    def _too_often(self, channel: str, key: str) -> bool:
        if len(self._attempts) >= _ATTEMPTS_KEPT:
            self._attempts.clear()
        window = self._attempts.setdefault((channel, key), _Window())
        return window.exceeded(self._backend.now_us)

    def _is_known(self, request: Subscribe) -> bool:
        if request.channel in _WITHOUT_ID:
            return True
        ticker, slash, resolution = request.key.partition("/")
        if request.channel == CANDLES:
            return self._backend.has_market(ticker) and resolution in RESOLUTIONS
        return not slash and self._backend.has_market(ticker)

    def _fail(self, request: Subscribe, text: str, *, named: bool = False) -> None:
        self._active[request.channel] -= 1
        extra = {"channel": request.channel} if named else {}
        if named and request.id is not None:
            extra["id"] = request.id
        self._error(text, request.message_id, extra)

    def _refuse_invalid(self, text: str) -> None:
        if self._invalid.exceeded(self._backend.now_us):
            text = "Too many invalid messages. Please reconnect and try again."
            self.closing = (POLICY_VIOLATION, RATE_LIMITED)
        self._error(text, self._message_id)

    def _error(self, text: str, message_id: int, extra: dict[str, Any] | None = None) -> None:
        self._reply({"type": "error", "message": text}, message_id, extra)

    def _reply(
        self, head: dict[str, Any], message_id: int, extra: dict[str, Any] | None = None
    ) -> None:
        numbered = {"connection_id": self._connection_id, "message_id": message_id}
        frame = orjson.dumps(head | numbered | (extra or {}))
        self._put(frame, None, data=False)

    def _put(self, frame: bytes, market: str | None, *, data: bool) -> None:
        backend = self._backend
        # Only channel data can be lost or doubled.
        self.outbox.put(
            frame,
            market,
            backend.faults,
            backend.now_us,
            can_be_lost=data,
            can_be_doubled=data,
        )


def _js(value: object) -> str:
    """A JSON value as JavaScript puts it into text, as far as clients can tell."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()
