"""Orders through a running sandbox: accepted in Postgres as the gateway does, signed by accounts of
its chains, executed by its keepers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import httpx
import orjson
from eth_account import Account
from redis.asyncio import Redis

from connectors.base.order_tag import order_tag
from db import accounts, order_changes, order_steps, orders, tx_attempts
from db.order_steps import StepRow
from db.orders import NewOrder, OrderRow
from db.tx_attempts import Attempt
from domain.ids import MarketId, VenueId
from domain.orders import OrderIntent, OrderLeg
from runtime.channels import quote_key
from runtime.clock import mono_ns
from runtime.redis import fast_client
from runtime.sealing import Seal, seal_of
from tests.integration.program_kit import Program, environment
from tests.servers import open_folder

WAIT_S: Final = 40.0
USDC: Final = "USDC"
ETH_MARKET: Final = "0x70d95587d40A2caf56bd97485aB3Eec10Bee6336"
GMX: Final = ("gmx", 42161, ETH_MARKET)
CHAINS: Final = (42161, 137, 8453)


@contextmanager
def trading_program(**settings: str) -> Iterator[Program]:
    """A sandbox with one market, whose chains are soon final."""
    with open_folder() as folder:
        program = Program(folder / "data")
        depths = {f"PERP_FINALITY_DEPTH_{chain_id}": "3" for chain_id in CHAINS}
        program.env |= {"PERP_MARKETS": "ETH-USD"} | depths | settings
        try:
            program.start()
            yield program
        finally:
            program.end()


class Desk:
    """``content``: of runtime.json. Its trader is nobody else's account: no allowance, position or
    order of an earlier test is in its way."""

    def __init__(
        self, content: dict[str, Any], connection: asyncpg.Connection, redis: Redis, seal: Seal
    ) -> None:
        self.content = content
        self.connection = connection
        self.redis = redis
        self.seal = seal
        made = Account.create()
        self.wallet = {"address": made.address, "private_key": made.key.hex()}

    @property
    def owner(self) -> str:
        return str(self.wallet["address"])

    async def rpc(self, chain_id: int, method: str, *params: Any) -> Any:
        url = self.content["rpc_urls"][str(chain_id)][0]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.post(url, json=body)).json()
        assert "error" not in answer, answer
        return answer["result"]

    async def control(self, path: str, body: Any) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as client:
            answer = await client.post(f"{self.content['sandbox']['control_url']}{path}", json=body)
        assert answer.status_code < 300, answer.text

    def stranger(self) -> "Desk":
        """Somebody else, who has nothing yet."""
        return Desk(self.content, self.connection, self.redis, self.seal)

    async def fund(self, eth: str = "100") -> None:
        """Gives the trader money on every chain."""
        for chain_id in CHAINS:
            funds = {"address": self.owner, "chain_id": chain_id, "eth": eth, "usdc": "10000"}
            await self.control("/fund", funds)

    async def price(self, market: str) -> Decimal:
        async def read() -> Decimal | None:
            raw = await self.redis.get(quote_key(market))
            data = {} if raw is None else orjson.loads(raw)["data"]
            return Decimal(data["mid"]) if data.get("mid") else None

        return await until(read, f"a price of {market}")

    async def gmx_price(self, symbol: str) -> Decimal:
        """What the replica of GMX itself says, and its keeper executes at; of a token of 18
        decimals."""
        url = environment(self.content["pids"]["feed"][0])["PERP_GMX_KEEPER_URLS"]
        async with httpx.AsyncClient(trust_env=False) as client:
            rows = (await client.get(f"{url}/prices/tickers")).json()
        (price,) = {row["minPrice"] for row in rows if row["tokenSymbol"] == symbol}
        return Decimal(price).scaleb(18 - 30)

    async def leg(
        self,
        venue: str,
        chain_id: int,
        pool: str,
        *,
        notional: int = 1_000,
        collateral: int | None = 250,
        slippage: str = "0.01",
        market: str = "ETH-USD",
        buys: bool = True,
        **changes: Any,
    ) -> OrderLeg:
        price = await self.price(market)
        away = Decimal(1) + Decimal(slippage) * (1 if buys else -1)
        given: dict[str, Any] = {
            "venue": VenueId(venue),
            "chain_id": chain_id,
            "pool": pool,
            "collateral_symbol": USDC,
            "collateral_amount": None if collateral is None else Decimal(collateral),
            "size_base": (notional / price).quantize(Decimal("1e-8")),
            "notional_usd": Decimal(notional),
            "expected_price": price,
            "guard_price": (price * away).quantize(Decimal("0.01")),
        }
        return OrderLeg(**(given | changes))

    async def accept(
        self,
        leg: OrderLeg,
        *,
        life_s: float = 60.0,
        reroute: Sequence[Any] = (),
        **changes: Any,
    ) -> NewOrder:
        """``reroute``: routes that it was decided from and may move to."""
        now = datetime.now(UTC)
        account = await accounts.ensure(self.connection, self.owner, 0, now)
        given: dict[str, Any] = {
            "market": MarketId("ETH-USD"),
            "side": "BUY",
            "intent": "open",
            "type": "market",
            "notional_usd": leg.notional_usd,
            "collateral_amount": leg.collateral_amount,
            "collateral_symbol": leg.collateral_symbol,
        }
        order_id = str(uuid.uuid4())
        new = NewOrder(
            order_id,
            account.id,
            None,
            str(uuid.uuid4()),
            None,
            order_tag(order_id),
            OrderIntent(**(given | changes)),
            leg,
            self.owner,
            "wallet",
            "exact",
            bool(reroute),
            now + timedelta(seconds=life_s),
        )
        async with self.connection.transaction():
            await orders.add(self.connection, new, now)
            await self.connection.execute(
                "INSERT INTO decisions (order_id, at, arrival_mid, routes) VALUES ($1, $2, 1, $3)",
                order_id,
                now,
                orjson.dumps({"routes": list(reroute)}).decode(),
            )
        return new

    async def read(self, new: NewOrder) -> OrderRow:
        row = await orders.read(self.connection, new.id)
        assert row is not None
        return row

    async def state(self, new: NewOrder, *wanted: str) -> OrderRow:
        async def read() -> OrderRow | None:
            row = await self.read(new)
            return row if row.state in wanted else None

        return await until(read, f"{new.id} to be {wanted}", lambda: self.read(new))

    async def final(self, new: NewOrder) -> OrderRow:
        async def read() -> OrderRow | None:
            row = await self.read(new)
            return row if row.final else None

        return await until(read, f"{new.id} to be final", lambda: self.read(new))

    async def step(self, new: NewOrder, step_id: str) -> StepRow:
        """Once it can be signed."""

        async def read() -> StepRow | None:
            row = await self.read(new)
            assert row.state not in ("rejected", "dead"), row.reason
            steps = await order_steps.current(self.connection, new.id)
            ready = [step for step in steps if step.new.status == "ready"]
            return next((step for step in ready if step.new.step_id == step_id), None)

        return await until(read, f"step {step_id} of {new.id}", lambda: self.read(new))

    def signed(self, step: StepRow, *, fee_times: int = 1, **more: Any) -> tuple[str, bytes]:
        """Hash and bytes. ``fee_times``: as a wallet speeds it up; ``more``: other fields."""
        tx = step.new.payload
        found = Account.sign_transaction(
            {
                **wallet_fields(tx),
                "maxFeePerGas": int(tx["max_fee_per_gas"]) * fee_times,
                **more,
            },
            self.wallet["private_key"],
        )
        return f"0x{bytes(found.hash).hex()}", bytes(found.raw_transaction)

    async def submit(self, new: NewOrder, step_id: str, *, bare: bool = False) -> str:
        """As the gateway takes a signed step; ``bare``: the wallet sent it by itself."""
        step = await self.step(new, step_id)
        tx_hash, raw = self.signed(step)
        if bare:
            await self.rpc(new.leg.chain_id, "eth_sendRawTransaction", f"0x{raw.hex()}")
        await self.store(new, step, tx_hash, None if bare else raw)
        return tx_hash

    async def store(self, new: NewOrder, step: StepRow, tx_hash: str, raw: bytes | None) -> None:
        now = datetime.now(UTC)
        tx = step.new.payload
        attempt = Attempt(
            int(tx["chain_id"]),
            tx_hash,
            new.id,
            step.new.step_id,
            step.version,
            self.owner,
            int(tx["nonce"]),
            None if raw is None else self.seal.seal(raw, tx_hash.encode()),
            now,
        )
        async with self.connection.transaction():
            row = await orders.read(self.connection, new.id, lock=True)
            assert row is not None
            assert await tx_attempts.add(self.connection, attempt)
            await order_steps.mark(
                self.connection, new.id, step.new.step_id, step.version, "submitted"
            )
            await order_changes.notify(self.connection, new.id, row.version, now)


@asynccontextmanager
async def opened_desk(program: Program) -> AsyncIterator[Desk]:
    """Its trader has money."""
    content = program.runtime
    connection = await asyncpg.connect(content["database_url"])
    redis = fast_client(content["redis_url"])
    try:
        desk = Desk(content, connection, redis, seal_of(program.data_dir))
        await desk.fund()
        yield desk
    finally:
        await redis.aclose()
        await connection.close()


async def until(read: Callable[[], Any], what: str, show: Callable[[], Any] | None = None) -> Any:
    deadline_ns = mono_ns() + int(WAIT_S * 1e9)
    while (found := await read()) is None:
        if mono_ns() > deadline_ns:
            raise AssertionError(f"waited for {what}: {await show() if show else ''}")
        await asyncio.sleep(0.05)
    return found


def wallet_fields(tx: Mapping[str, str]) -> dict[str, Any]:
    """A step as a wallet signs it."""
    return {
        "chainId": int(tx["chain_id"]),
        "to": tx["to"],
        "value": int(tx["value"]),
        "data": tx["data"],
        "nonce": int(tx["nonce"]),
        "gas": int(tx["gas"]),
        "type": 2,
        "maxFeePerGas": int(tx["max_fee_per_gas"]),
        "maxPriorityFeePerGas": int(tx["max_priority_fee_per_gas"]),
    }
