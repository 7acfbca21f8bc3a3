"""The official JavaScript client at a gateway that goes and comes back."""

from typing import Any

import pytest

from tests.integration.gateway_kit import running_gateway
from tests.protocol.javascript_client import JavaScriptClient, javascript_client
from tests.protocol.test_javascript import TRANSPORTS, free_port

ROOM = "price:BTC-USD"


def price_of(envelope: dict[str, Any]) -> tuple[int, str]:
    return envelope["seq"], envelope["data"]["bid"]


async def next_price(client: JavaScriptClient, seq: int) -> tuple[int, str]:
    while True:
        received = await client.next("received", name="price")
        if received["args"][0]["seq"] >= seq:
            return price_of(received["args"][0])


@TRANSPORTS
@pytest.mark.timeout(150)
async def test_subscriptions_are_back_after_a_restart(
    embedded_redis_url: str, transports: tuple[str, ...]
) -> None:
    port = free_port()
    async with javascript_client(f"http://127.0.0.1:{port}", transports) as client:
        client.say(greet=["subscribe", {"rooms": [ROOM]}])
        for bid in ("97100", "97200", "97300"):
            async with running_gateway(embedded_redis_url, port=port) as rig:
                if bid == "97100":
                    client.say(open=True)
                answer = (await client.next("answer"))["args"][0]
                assert answer["ok"] is True
                # The answer with the snapshot has overtaken whatever there was to update.
                assert not [item for item in client.told if item.get("name") == "price"]
                seq = await rig.feed.price(bid, "99999")
                assert await next_price(client, seq) == (seq, bid)
                client.told.clear()
            assert (await client.next("disconnect"))["reason"] == "transport close"
