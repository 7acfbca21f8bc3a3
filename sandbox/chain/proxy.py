"""What stands between the roles and the nodes of our chains: passes requests on over HTTP and
WebSocket, keeps geth's rule of replacement, and does what faults say. Every chain has two
endpoints, ``/rpc/<chain>/a`` and ``/rpc/<chain>/b``, so that one can fail without the other."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect  # noqa: TID251
from websockets.exceptions import WebSocketException

from runtime.clock import mono_ns
from sandbox.chain.keeper import Chain
from sandbox.chain.lies import SEND, ChainFaults, Kind, answered, asked, hash_of
from sandbox.chain.node import NodeError
from sandbox.chain.places import ENDPOINTS
from sandbox.chain.replacement import KNOWN, UNDERPRICED, fees_of, is_enough, read

_MAX_BYTES: Final = 4 * 1024 * 1024
_SLOW_S: Final = 1.5
_MAX_REORDER_S: Final = 0.6
_LOOK_S: Final = 0.05
_REFUSED: Final = -32000
_GONE: Final = 1012
_WAITING_REQUESTS: Final = 256

# One of the two sides is gone.
_LOST: Final = (OSError, WebSocketException, WebSocketDisconnect)

_Json = dict[str, Any]


class Proxy:
    def __init__(self, chains: Mapping[int, Chain], faults: ChainFaults, seed: int) -> None:
        self._chains = chains
        self._faults = faults
        self._rng = Random(f"{seed}:rpc")

    def routes(self) -> list[BaseRoute]:
        path = "/rpc/{chain_id:int}/{endpoint}"
        return [Route(path, self._http, methods=["POST"]), WebSocketRoute(path, self._socket)]

    async def _http(self, request: Request) -> Response:
        endpoint = self._endpoint(request)
        if endpoint is None:
            return Response(status_code=404)
        if "refuse" in endpoint.kinds():
            return Response(status_code=503)
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response(status_code=413)
        try:
            asked_for = orjson.loads(body)
        except ValueError:
            error = {"code": -32700, "message": "parse error"}
            return _json({"jsonrpc": "2.0", "id": None, "error": error})
        batch = asked_for if isinstance(asked_for, list) else [asked_for]
        if not endpoint.kinds() and all(map(_only_asks, batch)):
            # As a node takes it: in one go.
            try:
                told = await endpoint.chain.node.exchange(body)
                return Response(told, media_type="application/json")
            except NodeError as error:
                answers = [_error(each, str(error)) for each in batch]
        else:
            answers = await asyncio.gather(*(endpoint.answer(each) for each in batch))
        return _json(answers if isinstance(asked_for, list) else answers[0])

    async def _socket(self, client: WebSocket) -> None:
        endpoint = self._endpoint(client)
        if endpoint is None or "refuse" in endpoint.kinds():
            await client.close(_GONE)
            return
        await client.accept()
        url = endpoint.chain.node.url.replace("http", "ws", 1)
        with contextlib.suppress(*_LOST):
            async with connect(url, max_size=_MAX_BYTES, proxy=None) as node:
                await _Socket(endpoint, client, node).run()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await client.close(_GONE)

    def _endpoint(self, request: Request | WebSocket) -> "_Endpoint | None":
        chain = self._chains.get(request.path_params["chain_id"])
        name = request.path_params["endpoint"]
        if chain is None or name not in ENDPOINTS:
            return None
        return _Endpoint(chain, name, self._faults, self._rng)


class _Endpoint:
    def __init__(self, chain: Chain, name: str, faults: ChainFaults, rng: Random) -> None:
        self.chain = chain
        self._name = name
        self._faults = faults
        self._rng = rng

    def kinds(self) -> frozenset[Kind]:
        return self._faults.kinds(self.chain.chain_id, self._name, mono_ns())

    async def answer(self, request: Any) -> _Json:
        """Of the node, as far as faults let it through."""
        return await self.pass_on(request, self._ask)

    async def pass_on(self, request: Any, ask: Callable[[_Json], Awaitable[_Json]]) -> _Json:
        if not isinstance(request, dict):
            return _error({}, "invalid request")
        await self.past("hang")
        kinds = self.kinds()
        if "slow" in kinds:
            await asyncio.sleep(_SLOW_S)
        if "reorder" in kinds:
            await asyncio.sleep(self._rng.uniform(0, _MAX_REORDER_S))
        try:
            refusal = await self._refusal(request, kinds)
            if refusal is not None:
                return refusal
            head = 0
            if "stale_head" in kinds:
                head = int(await self.chain.node.call("eth_blockNumber"), 16)
            answer = await ask(asked(kinds, request, head))
        except NodeError as error:
            return _error(request, str(error))
        if "mute" in kinds and request.get("method") == SEND:
            await self.past("mute")
        told: _Json = answered(kinds, request, answer)
        return told

    async def past(self, kind: Kind) -> None:
        """Waits while the fault holds."""
        while kind in self.kinds():
            await asyncio.sleep(_LOOK_S)

    async def _ask(self, request: _Json) -> _Json:
        return await self.chain.node.forward(request)

    async def _refusal(self, request: _Json, kinds: frozenset[Kind]) -> _Json | None:
        """What a transaction is answered with that does not reach the node."""
        if request.get("method") != SEND:
            return None
        self.chain.wake()
        try:
            raw = str(request["params"][0])
            signed = read(bytes.fromhex(raw.removeprefix("0x")))
        except (LookupError, TypeError, ValueError):
            return None  # the node says what is wrong with it
        if "forget" in kinds:
            return {"jsonrpc": "2.0", "id": request.get("id"), "result": hash_of(raw)}
        if signed is None:
            return None
        content = await self.chain.node.call("txpool_content")
        rivals = [
            (sender, waiting)
            for part in ("pending", "queued")
            for sender, by_nonce in content[part].items()
            for nonce, waiting in by_nonce.items()
            if int(nonce) == signed.nonce
        ]
        if not rivals:
            return None
        sender = await asyncio.to_thread(_sender, raw)
        for other, waiting in rivals:
            if other.lower() == sender.lower():
                if waiting["hash"] == hash_of(raw):
                    return _error(request, KNOWN)
                if not is_enough(signed.fees, fees_of(waiting)):
                    return _error(request, UNDERPRICED)
        return None


class _Socket:
    """One WebSocket and the one behind it. What the node says by itself is passed on."""

    def __init__(self, endpoint: _Endpoint, client: WebSocket, node: ClientConnection) -> None:
        self._endpoint = endpoint
        self._client = client
        self._node = node
        # Ids of the client's are not ours: two of them may be the same.
        self._next_id = 0
        self._waiting: dict[int, asyncio.Future[_Json]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_WAITING_REQUESTS)

    async def run(self) -> None:
        """Until one side closes, or the endpoint is to refuse."""
        parts = {
            asyncio.create_task(part)
            for part in (self._from_client(), self._from_node(), self._refused())
        }
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = parts | self._answers
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, _LOST):
                raise error

    async def _refused(self) -> None:
        while "refuse" not in self._endpoint.kinds():
            await asyncio.sleep(_LOOK_S)

    async def _from_client(self) -> None:
        while True:
            text = await self._client.receive_text()
            with contextlib.suppress(ValueError):
                request = orjson.loads(text)
                await self._slots.acquire()
                task = asyncio.create_task(self._answer(request))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)

    async def _answer(self, request: Any) -> None:
        try:
            batch = request if isinstance(request, list) else [request]
            told = [await self._endpoint.pass_on(each, self._ask) for each in batch]
            await self._say(told if isinstance(request, list) else told[0])
        finally:
            self._slots.release()

    async def _ask(self, request: _Json) -> _Json:
        self._next_id += 1
        number = self._next_id
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._node.send(orjson.dumps(request | {"id": number}).decode())
            told: _Json = await waiting
            return told | {"id": request.get("id")}
        finally:
            self._waiting.pop(number, None)

    async def _from_node(self) -> None:
        async for text in self._node:
            told: _Json = orjson.loads(text)
            waiting = self._waiting.get(told.get("id", 0))
            if waiting is not None:
                waiting.set_result(told)
            elif not self._is_hidden(told):
                await self._endpoint.past("hang")
                await self._say(told)

    def _is_hidden(self, told: _Json) -> bool:
        """New heads of a chain whose head is to be old."""
        result: object = told.get("params", {}).get("result")
        is_head = isinstance(result, dict) and "parentHash" in result
        return is_head and "stale_head" in self._endpoint.kinds()

    async def _say(self, told: Any) -> None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._client.send_text(orjson.dumps(told).decode())


def _sender(raw: str) -> str:
    # It takes half a second to import, and is seldom needed.
    from eth_account import Account

    return str(Account.recover_transaction(raw))


def _only_asks(request: Any) -> bool:
    """Not what has to be looked at before the node gets it."""
    return isinstance(request, dict) and request.get("method") != SEND


async def _body(request: Request) -> bytes | None:
    """None: too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            return None
    return bytes(body)


def _error(request: _Json, message: str) -> _Json:
    error = {"code": _REFUSED, "message": message}
    return {"jsonrpc": "2.0", "id": request.get("id"), "error": error}


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
