"""How much one client and one address may ask for. Pure: time comes as an argument.

Every bound is scaled by ``PERP_RATE_LIMIT_FACTOR``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from itertools import islice
from typing import Final

from api.buckets import Bucket, address_of
from api.realtime.handshake import Refused

ADDRESSES_BOUND: Final = 100_000
"""Addresses remembered. Past it those that have nothing open are forgotten."""
SWEPT_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Quotas:
    """Bursts are what may be spent at once after a time of quiet."""

    socket_rooms: int = 200
    socket_messages_per_s: int = 20
    socket_messages_burst: int = 100
    socket_bytes_per_s: int = 64 * 1024
    socket_bytes_burst: int = 512 * 1024
    address_sockets: int = 20
    address_connects_per_s: int = 5
    address_connects_burst: int = 50
    address_rooms: int = 4_000
    address_messages_per_s: int = 200
    address_messages_burst: int = 1_000
    address_bytes_per_s: int = 640 * 1024
    address_bytes_burst: int = 5 * 1024 * 1024

    def scaled(self, factor: float) -> "Quotas":
        """Rooms a socket stay: they bound memory, not work."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        fixed = {"socket_rooms": given.pop("socket_rooms")}
        return Quotas(**fixed, **{name: max(1, int(v * factor)) for name, v in given.items()})


QUOTAS: Final = Quotas()


class Verdict(Enum):
    TAKE = "take"
    REFUSE = "refuse"
    """The message is answered with an error and not carried out."""
    CLOSE = "close"
    """The client goes on regardless: it is sent away."""


class AddressUse:
    """What the clients of one address have open and have spent."""

    __slots__ = ("_connects", "bytes", "messages", "rooms", "sockets")

    def __init__(self, quotas: Quotas, now_ns: int) -> None:
        self.sockets = 0
        self.rooms = 0
        self._connects = Bucket(
            quotas.address_connects_per_s, quotas.address_connects_burst, now_ns
        )
        self.messages = Bucket(quotas.address_messages_per_s, quotas.address_messages_burst, now_ns)
        self.bytes = Bucket(quotas.address_bytes_per_s, quotas.address_bytes_burst, now_ns)

    def may_connect(self, now_ns: int) -> bool:
        return self._connects.spend(1, now_ns) >= 0

    def is_idle(self, now_ns: int) -> bool:
        buckets = (self._connects, self.messages, self.bytes)
        return not self.sockets and all(bucket.is_full(now_ns) for bucket in buckets)


class Use:
    """What one client has spent, on its own account and on that of its address."""

    __slots__ = ("_bytes", "_messages", "_quotas", "address")

    def __init__(self, quotas: Quotas, address: AddressUse, now_ns: int) -> None:
        self.address = address
        self._quotas = quotas
        self._messages = Bucket(quotas.socket_messages_per_s, quotas.socket_messages_burst, now_ns)
        self._bytes = Bucket(quotas.socket_bytes_per_s, quotas.socket_bytes_burst, now_ns)

    def spend(self, size: int, now_ns: int) -> Verdict:
        """For one message of ``size`` bytes."""
        least = min(
            self._messages.spend(1, now_ns),
            self._bytes.spend(size, now_ns),
            self.address.messages.spend(1, now_ns),
            self.address.bytes.spend(size, now_ns),
        )
        if least >= 0:
            return Verdict.TAKE
        return Verdict.CLOSE if self._messages.in_debt or self._bytes.in_debt else Verdict.REFUSE

    def may_join(self, rooms: int) -> bool:
        """Whether a client in so many rooms may enter another."""
        return rooms < self._quotas.socket_rooms and self.address.rooms < self._quotas.address_rooms

    @property
    def rooms_bound(self) -> str:
        """For people."""
        quotas = self._quotas
        return (
            f"at most {quotas.socket_rooms} rooms a connection "
            f"and {quotas.address_rooms} an address"
        )


class Limiter:
    """All addresses. ``sweep`` is to be called now and then."""

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas
        self._addresses: dict[str, AddressUse] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def admit(self, peer: str, now_ns: int) -> Use:
        """A new client. Raises Refused; ``release`` ends what this begins."""
        name = address_of(peer)
        address = self._addresses.get(name)
        if address is None:
            if len(self._addresses) >= ADDRESSES_BOUND:
                self._addresses = _those_open(self._addresses)
            address = self._addresses[name] = AddressUse(self.quotas, now_ns)
        if not address.may_connect(now_ns) or address.sockets >= self.quotas.address_sockets:
            raise Refused(3, "Too many connections of this address", 429)
        address.sockets += 1
        return Use(self.quotas, address, now_ns)

    def release(self, use: Use) -> None:
        use.address.sockets -= 1

    def sweep(self, now_ns: int) -> None:
        """Looks at the next few addresses and forgets those with nothing left to remember."""
        for name in list(islice(self._addresses, SWEPT_AT_ONCE)):
            address = self._addresses.pop(name)
            if not address.is_idle(now_ns):
                self._addresses[name] = address


def _those_open(addresses: Mapping[str, AddressUse]) -> dict[str, AddressUse]:
    return {name: address for name, address in addresses.items() if address.sockets}
