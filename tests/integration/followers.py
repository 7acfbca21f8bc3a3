"""Official JavaScript clients that follow a price, whatever becomes of their gateways."""

import contextlib
from collections.abc import Sequence
from typing import Final

from tests.protocol.javascript_client import JavaScriptClient, javascript_client

ROOM: Final = "price:BTC-USD"


class Follower:
    """A client that follows one room, and subscribes again whenever it is back."""

    def __init__(self, client: JavaScriptClient) -> None:
        self.client = client
        self.gateway = ""
        self.seq = 0

    async def subscribed(self) -> None:
        """Connected for the first time or again: with a snapshot that is not older."""
        connected = await self.client.next("connect")
        self.gateway = connected["id"].rpartition(".")[0]
        answer = (await self.client.next("answer"))["args"][0]
        assert answer["ok"] is True
        seq = answer["rooms"][ROOM]["seq"]
        assert seq >= self.seq
        self.seq = seq

    async def hears(self, seq: int) -> None:
        while self.seq < seq:
            received = await self.client.next("received", name="price")
            assert received["args"][0]["seq"] >= self.seq
            self.seq = received["args"][0]["seq"]

    @property
    def events(self) -> list[str]:
        """The kinds of all that it told."""
        return [item["event"] for item in self.client.told]

    @property
    def losses(self) -> int:
        return self.events.count("disconnect")


class Following:
    """As many followers as a test asks for."""

    def __init__(self, url: str, stack: contextlib.AsyncExitStack) -> None:
        self._url = url
        self._stack = stack
        self.all: list[Follower] = []

    async def add(self, transports: Sequence[str]) -> Follower:
        client = await self._stack.enter_async_context(javascript_client(self._url, transports))
        follower = Follower(client)
        client.say(greet=["subscribe", {"rooms": [ROOM]}])
        client.say(open=True)
        await follower.subscribed()
        self.all.append(follower)
        return follower
