"""Frames as a server sends them."""

from api.realtime import frames


def frame(payload: bytes, opcode: int = frames.TEXT) -> bytes:
    return frames.frame(opcode, payload)


def close(code: int, reason: str = "") -> bytes:
    return frames.close_frame(code, reason)


def price(
    room: str, seq: int, published_us: int = 1, received_us: int = 1, cause: str = "frame"
) -> bytes:
    """The packet of an update as the gateway sends it."""
    return (
        f'42["price",{{"type":"update","room":"{room}","seq":{seq},"epoch":1,"cause":"{cause}",'
        f'"received_us":{received_us},"published_us":{published_us},"data":{{"bid":"1"}}}}]'
    ).encode()
