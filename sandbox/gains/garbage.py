"""What broken servers, proxies and cables make of a frame."""

from random import Random
from typing import Final

_DEEP: Final = 20_000

# Price frames that hold no price, and no JSON at times.
_SPOILED_PRICES: Final = (
    b'{"m":null,"i":{},"t":"now"}',
    b'{"m":[0],"i":[0,1,2],"t":-1}',
    b'{"m":[[0,97000]],"i":"0,97000","t":[]}',
    b'{"m":[0,null,1,true],"i":[0,"97000"],"t":1e999}',
    b'{"m":[0,NaN,1,Infinity],"t":0}',
    b'{"m":[0,1e999,1,-1e999],"i":[1,1e-999],"t":9e99}',
    b'{"m":[0,-97000.5,1,0],"i":[0,0],"t":0}',
    b'{"m":[-1,97000,70000,1,0.5,2,1e3,3],"t":1}',
    b'{"m":[0,97000,0,1],"M":[0,1],"t":1,"t":2}',
    b"[0,97000.5,1]",
    b'[0,"97000.5"]',
    b"[0,null,true,[]]",
    b'[-1,5,99999999999999999999,1,"x",2]',
    b"[NaN,NaN]",
    b"[0,-97000.5]",
    b"[-1]",
    b'["1724244390036"]',
    b"[1e999]",
)

# Event stream values of the wrong shape.
_SPOILED_EVENTS: Final = (
    b'{"name":"currentBlock","value":"soon"}',
    b'{"name":"currentBlock","value":true}',
    b'{"name":"currentBlock","value":-1e999}',
    b'{"name":"tradingVariables","value":null}',
    b'{"name":"tradingVariables","value":{"pairs":{},"collaterals":7}}',
    b'{"name":"tradingVariables","value":{"pairs":[null],"collaterals":[[]],"isForexOpen":1}}',
    b'{"name":"registerTrade","value":[]}',
    b'{"name":"unregisterTrade","value":{"user":null}}',
    b'{"name":"oiWindowUpdated","value":{"pairIndex":"-1","windowId":"x","newOi":[]}}',
    b'{"name":"oiWindowUpdated","value":{"pairIndex":"0","windowId":"1",'
    b'"newOi":{"oiLongUsd":"1e999","oiShortUsd":"-5"}}}',
    b'{"name":"openInterestPairUpdated","value":{"pairIndex":"0","collateralIndex":"99",'
    b'"pairBorrowingFees":{"token":{"oiLongToken":NaN}}}}',
    b'{"name":"pendingAccFundingFeesStored","value":{"collateralIndex":0,"pairData":"0x"}}',
    b'{"name":{},"value":{}}',
    b'{"value":{}}',
)

_SPOILED: Final = (
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"null",
    b"[]",
    b"{}",
    b"42",
    b'"heartbeat"',
    b"true",
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"m":' * _DEEP + b"0" + b"}" * _DEEP,
)


def garble(frame: bytes, rng: Random) -> bytes:
    """A frame as broken servers, proxies and cables deliver it: never the one that was meant."""
    choice = rng.random()
    if choice < 0.2:
        return frame[: rng.randrange(1, len(frame))]
    if choice < 0.3:
        return frame.replace(b",", b";", rng.randint(1, 3)) + b"]"
    if choice < 0.45:
        return rng.choice(_SPOILED)
    return rng.choice(_SPOILED_EVENTS if frame.startswith(b'{"name"') else _SPOILED_PRICES)
