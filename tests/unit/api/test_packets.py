import orjson
import pytest

from api.realtime import packets
from api.realtime.packets import Packet, PacketError


def test_an_event_is_the_same_for_both_transports() -> None:
    packet = packets.event("price", b'{"seq":1}')
    assert packet.text == b'42["price",{"seq":1}]'
    assert packet.frame[2:] == packet.text
    assert packet.frame[0] == 0x81
    assert packet.frame is packet.frame
    assert orjson.loads(packet.text[2:]) == ["price", {"seq": 1}]


def test_binary_travels_raw_or_as_base64() -> None:
    packet = packets.message(b"\x01\x02\x03\x04")
    assert packet.frame == b"\x82\x04\x01\x02\x03\x04"
    assert packet.text == b"bAQIDBA=="


def test_payloads_round_trip() -> None:
    sent = [Packet(b"4a"), Packet(b"\x00\x1f", binary=True), Packet("4é".encode())]
    assert packets.decode_payload(packets.encode_payload(sent)) == ["4a", b"\x00\x1f", "4é"]


@pytest.mark.parametrize("raw", [b"\xff", b"4a\x1e\xff", b"b*", b"bA", b"3" + b"\x1e3" * 8192])
def test_what_is_no_payload(raw: bytes) -> None:
    with pytest.raises(PacketError):
        packets.decode_payload(raw)


def test_a_payload_may_hold_8192_packets() -> None:
    assert len(packets.decode_payload(b"3" + b"\x1e3" * 8191)) == 8192
