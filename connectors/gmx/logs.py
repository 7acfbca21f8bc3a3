"""Events of the contracts from a node's WebSocket: subscription, replay of what was missed.

One frame that cannot be read may have been an event, so it ends the connection: the next one reads
the blocks since then again.
"""

from typing import Any, Final

import orjson

from connectors.base.protocol import Failure, Frame
from connectors.base.session import BaseSession
from connectors.gmx import constants as c
from connectors.gmx import eventlog, trades
from connectors.gmx.parse import MALFORMED
from connectors.gmx.state import GmxState
from domain.errors import InputError
from domain.events import VenueStatus

_FAR_NS: Final = 2**63


class LogsSession(BaseSession):
    """One connection to a node of ``chain_id``; fills the mirror of ``state``, which outlives it,
    and emits the trades."""

    def __init__(self, state: GmxState, emitter: str, chain_id: int, mono_ns: int) -> None:
        super().__init__()
        self._state = state
        self._mirror = state.mirror
        self._emitter = emitter.lower()
        self._chain_id = chain_id
        self._last_id = 0
        self._asked: dict[int, tuple[str, int]] = {}
        self._subscriptions: dict[str, str] = {}
        self._head = -1
        self._head_ns = mono_ns
        self._replay_to: int | None = None
        self._chunk_end = -1
        self._synced = False
        self._ask("chain", "eth_chainId", [], mono_ns)

    @property
    def decoded(self) -> dict[str, int]:
        """Events taken since the start of the process, by name."""
        return dict(self._mirror.decoded)

    @property
    def healthy(self) -> bool:
        return self._synced and self._failure is None

    def next_deadline_ns(self) -> int:
        if self._outgoing:
            return 0
        return min(self._head_ns + c.HEAD_MAX_AGE_NS, self._oldest_ns() + c.RPC_TIMEOUT_NS)

    def _oldest_ns(self) -> int:
        return min((sent_ns for _, sent_ns in self._asked.values()), default=_FAR_NS)

    def advance(self, mono_ns: int) -> None:
        if self._failure is not None:
            return
        if mono_ns - self._oldest_ns() >= c.RPC_TIMEOUT_NS:
            self._failure = Failure("TIMEOUT", "the node does not answer")
        elif mono_ns - self._head_ns >= c.HEAD_MAX_AGE_NS:
            self._failure = Failure("NO_HEAD", "no new block for 10 s")

    def receive(self, frame: Frame, wall_us: int, mono_ns: int) -> None:
        """One WebSocket message."""
        if self._failure is not None:
            return
        try:
            message = orjson.loads(frame)  # type: ignore[arg-type]  # a reply is malformed here
            if message.get("method") == "eth_subscription":
                self._on_notice(message["params"], mono_ns)
            else:
                self._on_reply(message, mono_ns)
        except MALFORMED as error:
            self._failure = Failure("GARBAGE", f"{error!r:.200}")

    def _ask(self, what: str, method: str, params: list[Any], mono_ns: int) -> None:
        self._last_id += 1
        self._asked[self._last_id] = (what, mono_ns)
        request = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        self._outgoing.append(orjson.dumps(request).decode("ascii"))

    def _on_reply(self, message: dict[str, Any], mono_ns: int) -> None:
        if type(message["id"]) is not int:
            raise TypeError("an answer without the number of its question")
        what, _ = self._asked.pop(message["id"])
        if message.get("error") is not None:
            self._on_refusal(what, str(message["error"]), mono_ns)
        elif what == "replay":
            self._on_replay(message["result"], mono_ns)
        elif what == "chain":
            self._on_chain(eventlog.number(message["result"]), mono_ns)
        elif isinstance(message["result"], str):
            self._subscriptions[message["result"]] = what
        else:
            raise TypeError("a subscription without a name")

    def _on_refusal(self, what: str, detail: str, mono_ns: int) -> None:
        if what != "replay":
            self._failure = Failure("REFUSED", f"{what}: {detail:.200}")
            return
        # Asking again would be refused again; what the missing events have changed is unknown.
        self._mirror.forget_interest()
        self._finish_replay()

    def _on_chain(self, chain_id: int, mono_ns: int) -> None:
        if chain_id != self._chain_id:
            self._failure = Failure("WRONG_CHAIN", f"{chain_id} instead of {self._chain_id}")
            return
        self._ask("logs", "eth_subscribe", ["logs", self._filter()], mono_ns)
        self._ask("heads", "eth_subscribe", ["newHeads"], mono_ns)

    def _filter(self) -> dict[str, Any]:
        topics = [list(c.EVENT_KINDS.values()), list(c.EVENTS.values())]
        return {"address": self._emitter, "topics": topics}

    def _on_notice(self, params: dict[str, Any], mono_ns: int) -> None:
        what, result = self._subscriptions[params["subscription"]], params["result"]
        if what == "logs":
            self._take(result)
        else:
            self._on_head(eventlog.number(result["number"]), mono_ns)

    def _take(self, raw: Any) -> None:
        log = eventlog.log(raw)
        if log.address != self._emitter or len(log.topics) < 2:
            raise InputError("BAD_LOG", "a log that was not asked for")
        event = self._mirror.take(log)
        if event is None or event.name not in trades.NAMES:
            return
        try:
            listing = self._state.by_pool.get(trades.pool_of(event))
            found = None if listing is None else trades.trade(log, event, listing)
        except InputError:
            self._mirror.undecodable += 1
            return
        if found is not None:
            self._events.append(found)

    def _on_head(self, block: int, mono_ns: int) -> None:
        if block <= self._head:
            return
        self._head, self._head_ns = block, mono_ns
        if self._synced:
            self._mirror.synced_block = max(block, self._mirror.synced_block or 0)
        elif self._replay_to is None and "logs" in self._subscriptions.values():
            self._start_replay(mono_ns)

    def _start_replay(self, mono_ns: int) -> None:
        """From here on the subscription tells the events; those before are asked for."""
        self._replay_to = self._head
        synced = self._mirror.synced_block
        if synced is None:
            self._finish_replay()
        elif synced - self._head > c.REPLAY_OVERLAP_BLOCKS:
            # Another chain than before, or a node far behind: nothing is known of this one.
            self._mirror.forget_interest()
            self._mirror.synced_block = None
            self._finish_replay()
        elif self._head - synced > c.MAX_REPLAY_BLOCKS:
            self._mirror.forget_interest()
            self._finish_replay()
        else:
            self._replay_from(max(0, synced - c.REPLAY_OVERLAP_BLOCKS), mono_ns)

    def _replay_from(self, start: int, mono_ns: int) -> None:
        if self._replay_to is None or start > self._replay_to:
            self._finish_replay()
            return
        self._chunk_end = min(start + c.REPLAY_CHUNK_BLOCKS - 1, self._replay_to)
        blocks = {"fromBlock": hex(start), "toBlock": hex(self._chunk_end)}
        self._ask("replay", "eth_getLogs", [self._filter() | blocks], mono_ns)

    def _on_replay(self, rows: Any, mono_ns: int) -> None:
        if not isinstance(rows, list):
            raise TypeError("no list of logs")
        for raw in rows:
            self._take(raw)
        self._mirror.synced_block = max(self._chunk_end, self._mirror.synced_block or 0)
        self._replay_from(self._chunk_end + 1, mono_ns)

    def _finish_replay(self) -> None:
        self._synced = True
        self._mirror.synced_block = max(self._head, self._mirror.synced_block or 0)
        self._events.append(VenueStatus("live"))
