"""Opens a position and closes it again, signing with a key (that of PRIVATE_KEY).

PRIVATE_KEY=0x.. python trade.py [URL [MARKET [VENUE [CHAIN [USD [POOL]]]]]]
"""

import asyncio
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from eth_account import Account
from perptape_client import Client, Problem

PATIENCE = 30

key = os.environ["PRIVATE_KEY"]
account = Account.from_key(key)


async def patiently(ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """What may be asked again is, for a while: prices go for a moment, nodes are slow."""
    for _ in range(PATIENCE):
        try:
            return await ask()
        except Problem as problem:
            if not problem.retryable:
                raise
        await asyncio.sleep(1)
    return await ask()


async def found(
    ask: Callable[[], Callable[[], Awaitable[dict[str, Any]]]], name: str
) -> dict[str, Any]:
    """What is left out for a moment, because its price is gone, may be there the next time."""
    for _ in range(10):
        answer = await patiently(ask())
        if answer[name]:
            return answer
        await asyncio.sleep(1)
    return await patiently(ask())


async def quoted(client: Client, wanted: Mapping[str, Any], pool: str) -> dict[str, Any]:
    """``pool``: empty for the best of all, which is the cheapest that the wallet can pay for."""
    told = await found(lambda: lambda: client.routes(wanted), "routes")
    routes = [
        row
        for row in told["routes"]
        if (row["pool"] == pool if pool else row["route_id"] == told["best"])
    ]
    if not routes:
        sys.exit(f"no route: {[(row['venue'], row['code']) for row in told['excluded']]}")
    best = routes[0]
    print("route", best["route_id"], "at", best["expected_price"], "all in", best["all_in_bps"])
    return await patiently(lambda: client.guarded_quote(wanted, best["route_id"]))


def signed(tx: Mapping[str, str]) -> dict[str, str]:
    """The fields of a step are decimal texts."""
    fields = {
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
    raw = bytes(account.sign_transaction(fields).raw_transaction)
    return {"raw_transaction": "0x" + raw.hex()}


async def carried_out(client: Client, order: dict[str, Any]) -> None:
    """Signs step after step until the venue has filled it. A mined transaction is no fill: the
    venue's keeper decides some blocks later."""
    done: set[tuple[str, int]] = set()
    state = None
    while not order["terminal"]:
        if order["state"] != state:
            state = order["state"]
            print("order", order["id"], state, flush=True)
        ready = [step for step in order["steps"] if step["status"] == "ready" and step["tx"]]
        if ready and (ready[0]["id"], ready[0]["version"]) not in done:
            await client.submit(order["id"], ready[0], signed(ready[0]["tx"]))
            done.add((ready[0]["id"], ready[0]["version"]))
        order = await client.order(order["id"], order["version"] + 1)
    if order["state"] != "filled":
        sys.exit(f"{order['state']}: {order['reason']}")
    for fill in order["fills"]:
        print("filled", fill["size_base"], "at", fill["price"])


async def main(url: str, market: str, venue: str, chain: str, usd: str, pool: str) -> None:
    async with Client(url) as client:
        await client.login(key, int(chain))
        print("signed in as", account.address)
        wanted = {
            "market": market,
            "side": "BUY",
            "intent": "open",
            "type": "market",
            "notional_usd": usd,
            "leverage": "5",
            "collateral": {"symbol": "USDC"},
            "slippage_bps": "100",
            "venues": [venue],
            "chain_ids": [int(chain)],
        }
        quote = await quoted(client, wanted, pool)
        owner = {"address": account.address}
        await carried_out(client, await client.place(quote["quote_id"], owner=owner))

        def close() -> Callable[[], Awaitable[dict[str, Any]]]:
            key = str(uuid.uuid4())  # of one request, however often it is sent
            return lambda: client.flatten(market, venue, key)

        closing = await found(close, "orders")
        if not closing["orders"]:
            sys.exit(f"not closed: {closing['skipped']}")
        for order in closing["orders"]:
            await carried_out(client, order)
        print("closed")


defaults = ("http://127.0.0.1:8000", "ETH-USD", "gmx", "42161", "1000", "")
said = sys.argv[1:]
asyncio.run(main(*said, *defaults[len(said) :]))
