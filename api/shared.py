"""Answers that are the same for everybody: made once for those who ask at the same time, kept while
nothing changes, known by an ETag, and compressed."""

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import Response

KEPT: Final = 64
"""Answers of one path."""
ZIPPED_FROM: Final = 1_024
"""Bytes. Less is not worth it."""
_LEVEL: Final = 5
_THREAD_FROM: Final = 32 * 1024
"""What takes over a millisecond is compressed in a thread."""

Make = Callable[[], Coroutine[Any, Any, Response]]


@dataclass(slots=True)
class Answer:
    body: bytes
    media_type: str
    etag: str
    zipped: bytes | None = None


class SharedAnswers:
    """Of one path. Whoever asks while an answer is being made gets that one."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, asyncio.Task[Answer]] = {}
        self._kept: OrderedDict[bytes, tuple[object, Answer]] = OrderedDict()

    async def get(self, key: bytes, version: object | None, make: Make) -> Answer:
        """``key``: what is asked. ``version``: an answer stays good while this is the same object,
        None where it does not. Raises what ``make`` raises."""
        known = self._kept.get(key)
        if known is not None and version is not None and known[0] is version:
            return known[1]
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(self._make(key, version, make))
        # Who leaves does not take the answer from the others.
        return await asyncio.shield(task)

    async def _make(self, key: bytes, version: object | None, make: Make) -> Answer:
        try:
            made = await make()
        finally:
            del self._under_way[key]
        body = bytes(made.body)
        tag = hashlib.blake2b(body, digest_size=12).hexdigest()
        answer = Answer(body, made.media_type or "", f'W/"{tag}"')
        if version is not None:
            self._kept.pop(key, None)
            self._kept[key] = version, answer
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return answer


async def respond(answer: Answer, asked: Headers) -> Response:
    """As the client can take it, or that it has it already. ``asked``: of the request."""
    headers = {"ETag": answer.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if _is_known(asked.get("if-none-match", ""), answer.etag):
        return Response(status_code=304, headers=headers)
    body = answer.body
    if len(body) >= ZIPPED_FROM and _takes_gzip(asked.get("accept-encoding", "")):
        if answer.zipped is None:
            answer.zipped = await _zip(body)
        body = answer.zipped
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers, media_type=answer.media_type)


def _is_known(tags: str, etag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2)."""
    if not tags:
        return False
    given = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    return "*" in given or etag.removeprefix("W/") in given


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return not quality or bool(quality.strip().removeprefix("q=").strip("0."))
    return False


async def _zip(body: bytes) -> bytes:
    if len(body) < _THREAD_FROM:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)
