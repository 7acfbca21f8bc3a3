"""Commands as bytes, read back by a parser of the protocol that knows nothing of them."""

from aggregator import resp


def parsed(raw: bytes) -> list[list[bytes]]:
    """Every command: an array of bulk strings, nothing left over."""
    commands = []
    while raw:
        head, _, raw = raw.partition(b"\r\n")
        assert head[:1] == b"*"
        parts = []
        for _ in range(int(head[1:])):
            length, _, raw = raw.partition(b"\r\n")
            assert length[:1] == b"$"
            size = int(length[1:])
            parts.append(raw[:size])
            assert raw[size : size + 2] == b"\r\n"
            raw = raw[size + 2 :]
        commands.append(parts)
    return commands


def test_commands_hold_any_bytes() -> None:
    body = b'{"text":"\r\n$5\r\n*1","\xc3\xa9":"\x00"}'
    raw = b"".join(
        (
            resp.REPLIES_OFF,
            resp.set_px("quote:\u00c9-USD", body, 100),
            resp.delete("quote:BTC-USD"),
            resp.REPLIES_ON,
            resp.publish("tape", body),
            resp.extend_px(["a", "quote:\u00c9-USD"], 100),
            resp.command(),
            resp.command(b"", b"x"),
        )
    )
    commands = parsed(raw)
    assert commands[5].pop(1).count(b"PEXPIRE") == 1
    assert commands == [
        [b"CLIENT", b"REPLY", b"OFF"],
        [b"SET", "quote:\u00c9-USD".encode(), body, b"PX", b"100"],
        [b"DEL", b"quote:BTC-USD"],
        [b"CLIENT", b"REPLY", b"ON"],
        [b"PUBLISH", b"tape", body],
        [b"EVAL", b"2", b"a", "quote:\u00c9-USD".encode(), b"100"],
        [],
        [b"", b"x"],
    ]
