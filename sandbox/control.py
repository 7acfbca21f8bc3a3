"""The sandbox's control endpoint: faults, prices and market hours on request. Loopback only, no
authentication: it reaches nothing but the replicas.

Every error is ``{"errors": [{"path", "message"}]}``: 400 for a body that is no JSON, 413 for one
that is too long, 422 for one that asks for something no replica has, 404 and 405 as usual."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from runtime.clock import mono_ns
from runtime.logs import get_logger
from sandbox.chain.desk import Instructions, Mode
from sandbox.chain.fund import fund
from sandbox.chain.keeper import Chain
from sandbox.chain.lies import ChainFault, ChainFaults
from sandbox.chain.lies import Kind as ChainKind
from sandbox.chain.node import NodeError
from sandbox.chain.places import ARBITRUM, TOKENS
from sandbox.chain.proxy import Proxy
from sandbox.faults import MAX_SECONDS, Fault, FaultBoard, FaultError
from sandbox.gains.hours import CLASSES, MarketHours
from sandbox.gmx.claimable import earn
from sandbox.prices import PriceProcess

_MAX_BODY_BYTES: Final = 65_536
_MAX_DELAY_MS: Final = 600_000
_PRICE: Final = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,18})?", re.ASCII)

_log = get_logger(__name__)
_T = TypeVar("_T")


class FaultRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    venue: str
    kind: str
    market: str | None = None
    seconds: float = Field(default=10, gt=0, le=MAX_SECONDS, allow_inf_nan=False)


class KeeperRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Mode
    delay_ms: int | None = Field(default=None, ge=0, le=_MAX_DELAY_MS)


class FundRequest(BaseModel):
    """``eth``, ``usdc``: whole ones, to be added."""

    model_config = ConfigDict(extra="forbid", strict=True)

    address: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    chain_id: int
    eth: str = "0"
    usdc: str = "0"


class ClaimableRequest(BaseModel):
    """``pool``: market token of GMX; ``amount``: whole ones of ``token``, to be added."""

    model_config = ConfigDict(extra="forbid", strict=True)

    address: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    pool: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    token: str = "USDC"
    amount: str


class MiningRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    chain_id: int
    mode: Literal["auto", "hold"]


class ChainFaultRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    chain_id: int
    kind: ChainKind
    endpoint: Literal["a", "b"] | None = None
    seconds: float = Field(default=10, gt=0, le=MAX_SECONDS, allow_inf_nan=False)


_CHAIN_FAULT: Final = TypeAdapter(ChainFaultRequest)
_KEEPER: Final = TypeAdapter(KeeperRequest)
_FUND: Final = TypeAdapter(FundRequest)
_CLAIMABLE: Final = TypeAdapter(ClaimableRequest)
_MINING: Final = TypeAdapter(MiningRequest)
_Price = Annotated[str, StringConstraints(strict=True, max_length=32)]
_FAULT: Final = TypeAdapter(FaultRequest)
_PRICES: Final[TypeAdapter[dict[str, str]]] = TypeAdapter(
    Annotated[dict[str, _Price], Field(min_length=1)]
)
_Hours = Literal["open", "closed", "clock"]
_HOURS: Final[TypeAdapter[dict[str, _Hours]]] = TypeAdapter(
    Annotated[dict[str, _Hours], Field(min_length=1)]
)
_HELD: Final[dict[_Hours, bool | None]] = {"open": True, "closed": False, "clock": None}


class _BadRequest(Exception):
    def __init__(self, status: int, *errors: tuple[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.errors = errors


class Control:
    def __init__(
        self,
        board: FaultBoard,
        prices: PriceProcess,
        hours: MarketHours,
        instructions: Instructions,
        chains: Mapping[int, Chain],
        seed: int = 1,
    ) -> None:
        self._board = board
        self._prices = prices
        self._hours = hours
        self._instructions = instructions
        self._chains = chains
        self._chain_faults = ChainFaults()
        self._proxy = Proxy(chains, self._chain_faults, seed)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/faults", self._add_fault, methods=["POST"]),
                Route("/faults", self._list_faults, methods=["GET"]),
                Route("/faults", self._clear_faults, methods=["DELETE"]),
                Route("/prices", self._set_prices, methods=["POST"]),
                Route("/hours", self._set_hours, methods=["POST"]),
                Route("/keeper", self._instruct, methods=["POST"]),
                Route("/fund", self._fund, methods=["POST"]),
                Route("/claimable", self._earn, methods=["POST"]),
                Route("/mining", self._set_mining, methods=["POST"]),
                Route("/chain-faults", self._add_chain_fault, methods=["POST"]),
                Route("/chain-faults", self._list_chain_faults, methods=["GET"]),
                Route("/chain-faults", self._clear_chain_faults, methods=["DELETE"]),
                *self._proxy.routes(),
            ],
            exception_handlers={_BadRequest: _refuse, HTTPException: _no_such_thing},
        )

    async def _add_fault(self, request: Request) -> JSONResponse:
        asked = await _read(request, _FAULT)
        now_ns = mono_ns()
        try:
            fault = self._board.add(asked.venue, asked.kind, asked.market, asked.seconds, now_ns)
        except FaultError as error:
            raise _BadRequest(422, (error.field, str(error))) from None
        _log.info(
            "fault_started",
            venue=fault.venue,
            kind=fault.kind,
            market=fault.market,
            seconds=asked.seconds,
        )
        return JSONResponse(_shown(fault, now_ns))

    async def _list_faults(self, _request: Request) -> JSONResponse:
        now_ns = mono_ns()
        running = self._board.running(now_ns)
        return JSONResponse({"faults": [_shown(fault, now_ns) for fault in running]})

    async def _clear_faults(self, _request: Request) -> JSONResponse:
        ended = self._board.clear()
        _log.info("faults_cleared", count=ended)
        return JSONResponse({"ended": ended})

    async def _set_prices(self, request: Request) -> JSONResponse:
        asked = await _read(request, _PRICES)
        errors = []
        for market, text in asked.items():
            if market not in self._prices:
                errors.append((market, "unknown market"))
            elif _PRICE.fullmatch(text) is None or float(text) == 0:
                errors.append((market, f"not a positive plain decimal: {text!r}"))
        if errors:
            raise _BadRequest(422, *errors)
        self._prices.set({market: float(text) for market, text in asked.items()})
        _log.info("prices_set", prices=asked)
        return JSONResponse({"prices": asked})

    async def _set_hours(self, request: Request) -> JSONResponse:
        asked = await _read(request, _HOURS)
        unknown = [(name, "unknown class of pairs") for name in asked if name not in CLASSES]
        if unknown:
            raise _BadRequest(422, *unknown)
        self._hours.hold({name: _HELD[state] for name, state in asked.items()})
        _log.info("hours_set", hours=asked)
        return JSONResponse({"hours": asked})

    async def _instruct(self, request: Request) -> JSONResponse:
        asked = await _read(request, _KEEPER)
        self._instructions.mode = asked.mode
        if asked.delay_ms is not None:
            self._instructions.delay_ms = asked.delay_ms
        told = {"mode": asked.mode, "delay_ms": self._instructions.delay_ms}
        _log.info("keeper_instructed", **told)
        return JSONResponse(told)

    async def _fund(self, request: Request) -> JSONResponse:
        asked = await _read(request, _FUND)
        amounts = {}
        for name, text in (("eth", asked.eth), ("usdc", asked.usdc)):
            if _PRICE.fullmatch(text) is None:
                raise _BadRequest(422, (name, f"not a plain decimal: {text!r}"))
            amounts[name] = Decimal(text)
        chain = self._chain(asked.chain_id)
        with _answering():
            await fund(chain.node, asked.chain_id, asked.address, **amounts)
        _log.info("account_funded", **asked.model_dump())
        return JSONResponse(asked.model_dump())

    async def _earn(self, request: Request) -> JSONResponse:
        asked = await _read(request, _CLAIMABLE)
        if _PRICE.fullmatch(asked.amount) is None:
            raise _BadRequest(422, ("amount", f"not a plain decimal: {asked.amount!r}"))
        if asked.token not in TOKENS[ARBITRUM]:
            raise _BadRequest(422, ("token", f"no token of the sandbox: {asked.token!r:.40}"))
        chain = self._chain(ARBITRUM)
        with _answering():
            amount = Decimal(asked.amount)
            await earn(chain.node, asked.address, asked.pool, asked.token, amount)
        _log.info("funding_earned", **asked.model_dump())
        return JSONResponse(asked.model_dump())

    async def _set_mining(self, request: Request) -> JSONResponse:
        asked = await _read(request, _MINING)
        chain = self._chain(asked.chain_id)
        with _answering():
            await chain.hold(held=asked.mode == "hold")
        _log.info("mining_set", **asked.model_dump())
        return JSONResponse(asked.model_dump())

    async def _add_chain_fault(self, request: Request) -> JSONResponse:
        asked = await _read(request, _CHAIN_FAULT)
        self._chain(asked.chain_id)
        now_ns = mono_ns()
        until_ns = now_ns + int(asked.seconds * 1e9)
        fault = ChainFault(asked.chain_id, asked.endpoint, asked.kind, until_ns)
        self._chain_faults.add(fault)
        _log.info("chain_fault_started", **asked.model_dump())
        return JSONResponse(_shown_of_chain(fault, now_ns))

    async def _list_chain_faults(self, _request: Request) -> JSONResponse:
        now_ns = mono_ns()
        running = self._chain_faults.running(now_ns)
        return JSONResponse({"faults": [_shown_of_chain(fault, now_ns) for fault in running]})

    async def _clear_chain_faults(self, _request: Request) -> JSONResponse:
        ended = self._chain_faults.clear()
        _log.info("chain_faults_cleared", count=ended)
        return JSONResponse({"ended": ended})

    def _chain(self, chain_id: int) -> Chain:
        chain = self._chains.get(chain_id)
        if chain is None:
            known = ", ".join(str(each) for each in self._chains) or "none"
            raise _BadRequest(422, ("chain_id", f"no chain of the sandbox; it runs: {known}"))
        return chain


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """A node that is away is 503."""
    try:
        yield
    except NodeError as error:
        raise _BadRequest(503, ("", str(error))) from None


class _Server(uvicorn.Server):
    """Leaves signals to the process that it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: Starlette, port: int, stop: asyncio.Event) -> None:
    """Serves on loopback until ``stop``. Raises OSError when the port is taken."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, lifespan="off"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]), name="sandbox-control")
    _log.info("sandbox_control_started", port=port)
    await stop.wait()
    server.should_exit = True
    await serving


async def _read(request: Request, shape: TypeAdapter[_T]) -> _T:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise _BadRequest(413, ("", f"the body is longer than {_MAX_BODY_BYTES} bytes"))
    try:
        return shape.validate_json(bytes(body))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
    status = 400 if problems[0]["type"] == "json_invalid" else 422
    named = (".".join(str(part) for part in problem["loc"]) for problem in problems)
    messages = (problem["msg"] for problem in problems)
    raise _BadRequest(status, *zip(named, messages, strict=True))


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, _BadRequest)
    errors = [{"path": path, "message": message} for path, message in error.errors]
    return JSONResponse({"errors": errors}, status_code=error.status)


async def _no_such_thing(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    errors = [{"path": "", "message": error.detail}]
    return JSONResponse({"errors": errors}, status_code=error.status_code, headers=error.headers)


def _shown(fault: Fault, now_ns: int) -> dict[str, Any]:
    return {
        "venue": fault.venue,
        "kind": fault.kind,
        "market": fault.market,
        "seconds_left": round((fault.until_ns - now_ns) / 1e9, 3),
    }


def _shown_of_chain(fault: ChainFault, now_ns: int) -> dict[str, Any]:
    return {
        "chain_id": fault.chain_id,
        "endpoint": fault.endpoint,
        "kind": fault.kind,
        "seconds_left": round((fault.until_ns - now_ns) / 1e9, 3),
    }
