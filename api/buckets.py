"""How much one client and one address may ask for, counted here. Pure: time is an argument.

An address is an IPv4 address or an IPv6 /64, which is what one customer is given.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


class Bucket:
    """Fills at ``per_s`` up to ``burst``. Its debt is bounded by a burst as well."""

    __slots__ = ("_at_ns", "_burst", "_per_ns", "level")

    def __init__(self, per_s: float, burst: float, now_ns: int) -> None:
        self.level = burst
        self._burst = burst
        self._per_ns = per_s / 1e9
        self._at_ns = now_ns

    def spend(self, amount: float, now_ns: int) -> float:
        """What is left; below zero when it was too much."""
        gained = (now_ns - self._at_ns) * self._per_ns
        self._at_ns = now_ns
        self.level = max(min(self.level + gained, self._burst) - amount, -self._burst)
        return self.level

    def take(self, amount: float, now_ns: int) -> bool:
        """Whether that much was there; only then it is spent."""
        if self.spend(0, now_ns) < amount:
            return False
        self.level -= amount
        return True

    def is_full(self, now_ns: int) -> bool:
        return self.level + (now_ns - self._at_ns) * self._per_ns >= self._burst

    @property
    def in_debt(self) -> bool:
        """As deep as it goes."""
        return self.level <= -self._burst


@lru_cache(maxsize=4096)
def address_of(peer: str) -> str:
    """What is counted as one: the address, or the /64 of an IPv6 one."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()
