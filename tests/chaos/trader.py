"""Somebody who trades by REST alone, whatever is killed meanwhile: every request is repeated until
somebody answers it, orders always with the key that they were sent with first."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct

from tests.chaos import wishes
from tests.chaos.control import Control
from tests.chaos.wishes import LATER, Held, Wish

MARKET: Final = "ETH-USD"
GMX_POOL: Final = "0x70d95587d40a2caf56bd97485ab3eec10bee6336"
CHAINS: Final = (42161, 137)
REQUEST_S: Final = 8.0
PATIENCE_S: Final = 100.0
"""So long an order is looked after: longer than what is stopped stays stopped."""
LIFE_S: Final = 90.0
SHORT_LIFE_S: Final = 6.0
CANCELS: Final = 3
"""So often a cancel is asked for before the order is left to rest."""
_PAUSE_S: Final = 0.25
_AGAIN: Final = (409, 425, 429, 500, 502, 503, 504)
_DONE: Final = ("filled", "cancelled", "expired", "rejected", "dead")


class GaveUp(Exception):
    """Nobody answered for ``PATIENCE_S``."""


@dataclass(slots=True)
class Tally:
    """What was seen. ``write``: takes every answer 202 to an order, see ``reader``. ``latest``: by
    order, when it was first known and when it ended; seconds of the monotonic clock. ``ends``: by
    kind of order and state."""

    write: Callable[[dict[str, Any]], None]
    repeated: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    ends: dict[str, dict[str, int]] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        self.refused[code] = self.refused.get(code, 0) + 1

    def end(self, order: dict[str, Any]) -> None:
        states = self.ends.setdefault(f"{order['venue']} {order['intent']} {order['type']}", {})
        why = (order["reason"] or {}).get("code", "")
        state = f"rejected {why}" if order["state"] == "rejected" else order["state"]
        states[state] = states.get(state, 0) + 1

    def under_way(self) -> int:
        return len(self.begun) - len(self.ended)


class Doors:
    """Gateways that can be asked; the first one is always there."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = list(urls)

    def pick(self, rng: Random) -> str:
        return rng.choice(self.urls)


class Trader:
    """``rpc``: URLs of nodes by chain."""

    def __init__(
        self,
        doors: Doors,
        control: Control,
        http: httpx.AsyncClient,
        rpc: dict[int, list[str]],
        rng: Random,
        tally: Tally,
    ) -> None:
        self._doors = doors
        self._control = control
        self._rpc = rpc
        self._rng = rng
        self._tally = tally
        self._http = http
        key = bytes(rng.getrandbits(8) for _ in range(32))
        self._wallet: Any = Account.from_key(key)
        self._headers: dict[str, str] = {}
        self._held: list[Held] = []

    async def open(self) -> None:
        """Money, and a session. Raises GaveUp."""
        for chain in CHAINS:
            await self._control.fund(self._wallet.address, chain)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            asked = {"address": self._wallet.address, "chain_id": CHAINS[0]}
            said = await self._ask("POST", "/v1/auth/nonce", asked)
            text = said.json()["data"]["message"]
            signature = self._wallet.sign_message(encode_defunct(text=text)).signature
            signed = {"message": text, "signature": "0x" + bytes(signature).hex()}
            grant = await self._ask("POST", "/v1/auth/login", signed)
            if grant.status_code == 200:
                token = grant.json()["data"]["access_token"]
                self._headers = {"Authorization": f"Bearer {token}"}
                return
            # The nonce was used by a request whose answer was lost.
        raise GaveUp("login")

    async def trade(self) -> bool:
        """One order to its end, or to where it is left. False where none was accepted."""
        wish = wishes.wish(self._rng, self._held)
        order = await self._place(wish)
        if order is None:
            if wish.held is not None:
                # It is gone, or what there is of it is not known for sure.
                self._held.remove(wish.held)
            return False
        self._tally.begun[order["id"]] = time.monotonic()
        try:
            order = await self._follow(order, wish.fate)
        except GaveUp:
            self._tally.refuse("LEFT_ALONE")
            return True
        finally:
            self._tally.ended[order["id"]] = time.monotonic()
        self._tally.end(order)
        if order["state"] == "filled":
            self._keep(wish, order)
        return True

    def _keep(self, wish: Wish, order: dict[str, Any]) -> None:
        size, held = Decimal(order["filled_base"]), wish.held
        if order["intent"] == "close":
            if held in self._held:
                self._held.remove(held)
        elif held is not None:
            held.size += size if order["intent"] == "increase" else -size
        elif wish.venue == "gains":
            index = order["venue_refs"]["position"]
            self._held.append(Held("gains", wish.chain, f"gains:{wish.chain}:{index}", size))
        elif (there := next((item for item in self._held if item.venue == "gmx"), None)) is None:
            self._held.append(Held("gmx", wish.chain, None, size))
        else:
            there.size += size

    # Placing ----------------------------------------------------------------------------------

    async def _place(self, wish: Wish) -> dict[str, Any] | None:
        """The accepted order; None where there was no quote or none that lasted."""
        body = wish.body | {
            "market": MARKET,
            "venues": [wish.venue],
            "chain_ids": [wish.chain],
            "slippage_bps": "200",
        }
        if wish.price_times is not None:
            name = "limit_price" if body["type"] == "limit" else "trigger_price"
            body[name] = await self._price(wish.price_times)
        routes = await self._ask("POST", "/v1/routes", body)
        if routes.status_code != 200:
            return await self._refused(_code(routes))
        data = routes.json()["data"]
        names = [route["route_id"] for route in data["routes"]]
        wanted = GMX_POOL if wish.venue == "gmx" else "USDC"
        chosen = next((name for name in names if wanted.lower() in name.lower()), None)
        if chosen is None:
            codes = {item["code"] for item in data["excluded"]} - {"CHAIN_FILTER", "VENUE_FILTER"}
            return await self._refused(f"NO_ROUTE {'/'.join(sorted(codes))}")
        quote = await self._ask("POST", "/v1/guarded-quotes", body | {"route_id": chosen})
        if quote.status_code != 201:
            return await self._refused(_code(quote))
        return await self._send(quote.json()["data"]["quote_id"], wish.fate, wish.chain)

    async def _refused(self, code: str) -> None:
        self._tally.refuse(code)
        await asyncio.sleep(_PAUSE_S)

    async def _price(self, times: str) -> str:
        said = await self._ask("GET", f"/v1/quotes/{MARKET}")
        mid = said.json()["data"].get("mid") if said.status_code == 200 else None
        return str((Decimal(mid or "3000") * Decimal(times)).quantize(Decimal(1)))

    async def _send(self, quote_id: str, fate: str, chain: int) -> dict[str, Any] | None:
        life_s = SHORT_LIFE_S if fate == "ignore" else LIFE_S
        deadline = datetime.now(UTC) + timedelta(seconds=life_s)
        body = {
            "quote_id": quote_id,
            "owner": {"address": self._wallet.address},
            "approval": self._rng.choice(("exact", "unlimited")),
            "deadline": deadline.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        key = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        times = 2 if self._rng.random() < 0.3 else 1
        order = None
        for _ in range(times):
            said = await self._ask("POST", "/v1/orders", body, key)
            if said.status_code != 202:
                self._tally.refuse(_code(said))
                break
            order = said.json()["data"]
            self._tally.write(
                {
                    "id": order["id"],
                    "key": key,
                    "account": self._wallet.address,
                    "chain_id": chain,
                }
            )
        return order

    # Following --------------------------------------------------------------------------------

    async def _follow(self, order: dict[str, Any], fate: str) -> dict[str, Any]:
        """Until it has ended, or rests as it shall. Raises GaveUp."""
        path, sent = f"/v1/orders/{order['id']}", set[tuple[str, int]]()
        asked = 0
        if fate == "withdraw":
            await self._ask("DELETE", path, key=f"withdraw-{order['id']}")
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            waiting = {"wait_version": str(order["version"] + 1)} if sent else {}
            said = await self._ask("GET", path, None, params=waiting)
            if said.status_code != 200:
                await asyncio.sleep(_PAUSE_S)
                continue
            order = said.json()["data"]
            if order["state"] in _DONE:
                return order
            if order["state"] == "working":
                if order["type"] != "market" and (fate == "sign" or asked > CANCELS):
                    return order
                if fate == "amend" and not order["amendments"]:
                    terms = {"limit_price": await self._price("0.75")}
                    await self._ask("PATCH", path, terms, f"amend-{order['id']}")
                elif fate in LATER and not (order["cancel_requested"] or _is_changing(order)):
                    # Again where the venue did not take it: a node may have told of another state.
                    asked += 1
                    await self._ask("DELETE", path, key=f"cancel-{asked}-{order['id']}")
            if fate != "ignore":
                await self._sign(order, sent)
            await asyncio.sleep(_PAUSE_S)
        raise GaveUp(order["id"])

    async def _sign(self, order: dict[str, Any], sent: set[tuple[str, int]]) -> None:
        for step in order["steps"]:
            name = (step["id"], step["version"])
            if step["status"] != "ready" or name in sent:
                continue
            tx_hash, raw = self._signed(step["tx"])
            body: dict[str, Any] = {"step_id": step["id"], "step_version": step["version"]}
            if self._rng.random() < 0.2:
                await self._broadcast(int(step["tx"]["chain_id"]), raw)
                body["tx_hash"] = tx_hash
            else:
                body["raw_transaction"] = raw
            said = await self._ask("POST", f"/v1/orders/{order['id']}/submission", body)
            if said.status_code == 202:
                sent.add(name)
            else:
                self._tally.refuse(_code(said))

    def _signed(self, tx: dict[str, Any]) -> tuple[str, str]:
        found = self._wallet.sign_transaction(
            {
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
        )
        return f"0x{bytes(found.hash).hex()}", f"0x{bytes(found.raw_transaction).hex()}"

    async def _broadcast(self, chain: int, raw: str) -> None:
        """As a wallet does that sends by itself: to every node it knows."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
        for url in self._rpc[chain]:
            try:
                await self._http.post(url, json=body, timeout=2.0)
            except httpx.HTTPError:
                continue

    # Asking -----------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        """The first answer that is one, of whichever gateway. Raises GaveUp."""
        headers = self._headers | ({} if key is None else {"Idempotency-Key": key})
        until = time.monotonic() + PATIENCE_S
        limit_s = 25.0 if params else REQUEST_S
        while time.monotonic() < until:
            try:
                said = await self._http.request(
                    method,
                    self._doors.pick(self._rng) + path,
                    json=body,
                    params=params,
                    headers=headers,
                    timeout=limit_s,
                )
            except httpx.HTTPError:
                self._tally.repeated += 1
            else:
                if said.status_code not in _AGAIN or _is_said(said):
                    return said
                self._tally.repeated += 1
            await asyncio.sleep(_PAUSE_S)
        raise GaveUp(path)


def _is_changing(order: dict[str, Any]) -> bool:
    return any(change["status"] == "asked" for change in order["amendments"])


def _code(said: httpx.Response) -> str:
    try:
        return str(said.json()["code"])
    except (ValueError, KeyError, TypeError):
        return str(said.status_code)


def _is_said(said: httpx.Response) -> bool:
    """A conflict that another try does not change."""
    return said.status_code == 409 and _code(said) != "IDEMPOTENCY_IN_PROGRESS"
