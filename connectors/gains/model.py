"""What the parser makes of frames and bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from connectors.base.markets import AssetClass
from connectors.gains.economics.depth import Side
from connectors.gains.economics.windows import Windows

Print: TypeAlias = tuple[int, int | None]
"""(pair index, price e10), None where the price cannot be read."""


class Frame(NamedTuple):
    """One message of the price stream. ``time_ms``: the server's."""

    marks: tuple[Print, ...]
    indices: tuple[Print, ...]
    time_ms: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as one chain lists it. ``max_leverage_e3``: None where the limits exclude every trade.
    ``above``, ``below``: None where the depth is given in a way that cannot be computed.
    ``factor_e10``: what the volume in the windows counts for."""

    name: str
    spread_p: int
    max_leverage_e3: int | None
    above: Side | None
    below: Side | None
    factor_e10: int
    exempt_on_open: bool


class PairOi(NamedTuple):
    """Open interest of a pair in one collateral. ``limit``: 0 = not traded. Tokens are e18."""

    limit: int
    long_token: int
    short_token: int


@dataclass(frozen=True, slots=True)
class Collateral:
    """An active one. ``ois``, ``skew_depths`` (e18 pair tokens): by pair index, often shorter."""

    index: int
    symbol: str
    ois: tuple[PairOi, ...]
    skew_depths: tuple[int, ...]


class Volume(NamedTuple):
    """USD e18 traded in one window."""

    long_usd: int
    short_usd: int


@dataclass(frozen=True, slots=True)
class Variables:
    """The state of one chain. ``pairs``, ``volumes`` (by window id): by pair index, None
    where unused or unreadable. ``offsets_ppm``: of the price at the end of each depth band.
    ``hours``: whether classes are open; crypto always is."""

    trading_state: int
    pairs: tuple[Pair | None, ...]
    collaterals: tuple[Collateral, ...]
    offsets_ppm: tuple[int, ...]
    windows: Windows
    volumes: tuple[dict[int, Volume] | None, ...]
    hours: Mapping[AssetClass, bool]


class VolumeUpdate(NamedTuple):
    pair: int
    window: int
    volume: Volume


class OiUpdate(NamedTuple):
    """New open interest; None where the message tells only that it changed."""

    pair: int
    collateral: int
    tokens: tuple[int, int] | None


class Reorg(NamedTuple):
    """Blocks were taken back: nothing the stream said before can be relied on."""


Update: TypeAlias = Variables | VolumeUpdate | OiUpdate | Reorg
