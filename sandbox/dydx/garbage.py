"""What broken servers, proxies and cables make of a frame."""

from random import Random
from typing import Final

_CONTENTS: Final = b'"contents":'
_DEEP: Final = 20_000

# Contents that are no book, no trade and no price; some are not even JSON.
_SPOILED: Final = (
    b"null",
    b"17",
    b'"text"',
    b"[[]]",
    b'{"bids":null,"trades":{},"oraclePrices":[],"trading":0}',
    b'{"bids":[[]],"asks":[{}],"trades":[7],"oraclePrices":{"BTC-USD":null}}',
    b'{"bids":[[null,true]],"trades":[{"id":[],"price":{},"size":false}]}',
    b'{"bids":[[65920,0.1]],"trades":[{"id":1,"side":3,"price":1,"size":1}]}',
    b'{"bids":[["NaN","NaN"]],"asks":[["Infinity","1"]],"oraclePrices":{"BTC-USD":"NaN"}}',
    b'{"bids":[[NaN,1]],"asks":[[Infinity,-Infinity]]}',
    b'{"bids":[["1e999","1e999"]],"asks":[["1e-999","1"]]}',
    b'{"bids":[[1e999,-1e999]],"blockHeight":1e999}',
    b'{"bids":[["-5","-1"]],"asks":[["0","1"]]}',
    b'{"bids":[["1_000","1"]],"asks":[[" 5","\\u0661"]],"blockHeight":"x","time":"never"}',
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"bids":' * _DEEP + b"0" + b"}" * _DEEP,
)


def garble(frame: bytes, rng: Random) -> bytes:
    """A frame as broken servers, proxies and cables deliver it."""
    choice = rng.random()
    if choice < 0.15:
        return frame[: rng.randrange(1, len(frame))]
    if choice < 0.25:
        return frame.replace(b":", b"=", rng.randint(1, 3))
    if choice < 0.30:
        return b"<html><head><title>502 Bad Gateway</title></head></html>"
    if choice < 0.35:
        return rng.choice((b"null", b"[]", b"42", b'"connected"', b"NaN", b"{}", b"true"))
    if choice < 0.45:
        return frame.replace(b'"message_id":', b'"message_id":null,"was":', 1)
    head, mark, _ = frame.partition(_CONTENTS)
    return head + mark + rng.choice(_SPOILED) + b"}"
