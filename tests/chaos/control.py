"""What the sandbox is told while all else is killed: on a busy machine that takes a while."""

import asyncio
import time
from typing import Any, Final

import httpx

PATIENCE_S: Final = 120.0
AT_ONCE: Final = 4
_AGAIN_S: Final = 0.5


class Control:
    """``url``: of the sandbox's control. Owned by the caller: ``http``."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def fund(self, address: str, chain: int) -> None:
        body = {"address": address, "chain_id": chain, "eth": "9", "usdc": "90000"}
        await self.tell("POST", "/fund", body)

    async def tell(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Until it was taken; every request can be repeated. Raises httpx.HTTPError when that takes
        longer than ``PATIENCE_S``."""
        until = time.monotonic() + PATIENCE_S
        async with self._turns:
            while True:
                try:
                    said = await self._http.request(
                        method, self._url + path, json=body, timeout=PATIENCE_S
                    )
                    said.raise_for_status()
                    return
                except httpx.HTTPError:
                    if time.monotonic() > until:
                        raise
                    await asyncio.sleep(_AGAIN_S)
