"""Answers that are the same for everybody."""

import asyncio
import gzip

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from api.shared import KEPT, ZIPPED_FROM, Answer, SharedAnswers, respond
from domain.errors import InputError

BODY = b'{"data":[' + b'"the same again",' * 200 + b"1]}"


class Maker:
    """Counts how often it was asked; answers once it may."""

    def __init__(self) -> None:
        self.calls = 0
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self) -> Response:
        self.calls += 1
        await self.may.wait()
        return Response(b"%d" % self.calls, media_type="application/json")


async def test_who_asks_together_shares_an_answer_and_who_comes_later_does_not() -> None:
    shared, make = SharedAnswers(), Maker()
    make.may.clear()
    asking = [asyncio.create_task(shared.get(b"a", None, make)) for _ in range(5)]
    other = asyncio.create_task(shared.get(b"b", None, make))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking[0].cancel()
    make.may.set()
    answers = await asyncio.gather(*asking[1:], other)
    assert make.calls == 2
    assert len({id(answer) for answer in answers[:-1]}) == 1
    assert (await shared.get(b"a", None, make)).body == b"3"


async def test_an_answer_is_kept_as_long_as_nothing_changes() -> None:
    shared, make, before, after = SharedAnswers(), Maker(), object(), object()
    assert [(await shared.get(b"a", before, make)).body for _ in range(3)] == [b"1"] * 3
    assert (await shared.get(b"a", after, make)).body == b"2"
    assert (await shared.get(b"a", before, make)).body == b"3"
    for number in range(KEPT):
        await shared.get(b"%d" % number, before, make)
    assert (await shared.get(b"a", before, make)).body == b"%d" % (KEPT + 4)


async def test_a_failure_is_told_to_all_and_not_kept() -> None:
    shared, calls = SharedAnswers(), 0

    async def fail() -> Response:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        raise InputError("UNKNOWN_MARKET", "none")

    version = object()
    found = await asyncio.gather(
        *(shared.get(b"a", version, fail) for _ in range(3)), return_exceptions=True
    )
    assert [getattr(error, "code", None) for error in found] == ["UNKNOWN_MARKET"] * 3
    assert calls == 1
    assert (await shared.get(b"a", version, Maker())).body == b"1"


@pytest.mark.parametrize(
    ("asked", "zipped"),
    [
        ("gzip", True),
        ("GZIP, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("x-gzipped", False),
    ],
)
async def test_what_is_long_is_compressed_for_who_can_read_it(asked: str, zipped: bool) -> None:
    answer = Answer(BODY, "application/json", 'W/"1"')
    for _ in range(2):
        told = await respond(answer, Headers({"accept-encoding": asked}))
        assert ("content-encoding" in told.headers) is zipped
        body = bytes(told.body)
        assert (gzip.decompress(body) if zipped else body) == BODY
        assert told.headers["vary"] == "Accept-Encoding"


async def test_what_is_short_is_sent_as_it_is() -> None:
    answer = Answer(b"x" * (ZIPPED_FROM - 1), "application/json", 'W/"1"')
    told = await respond(answer, Headers({"accept-encoding": "gzip"}))
    assert "content-encoding" not in told.headers


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ('W/"1"', 304),
        ('"1"', 304),
        ('"0", W/"1"', 304),
        ("*", 304),
        ('"2"', 200),
        ("", 200),
        ("1", 200),
    ],
)
async def test_what_the_client_has_is_not_sent_again(tags: str, status: int) -> None:
    answer = Answer(BODY, "application/json", 'W/"1"')
    told = await respond(answer, Headers({"if-none-match": tags}))
    assert told.status_code == status
    assert told.headers["etag"] == 'W/"1"'
    assert (bytes(told.body) == b"") is (status == 304)
