"""What the parser makes of frames and bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from connectors.base.markets import AssetClass
from connectors.gains.economics.borrowing import Accrual, FeeCap, OpenInterest
from connectors.gains.economics.depth import Side
from connectors.gains.economics.fees import FeeTerms
from connectors.gains.economics.funding import Funding, FundingTerms
from connectors.gains.economics.impact import PairFactors
from connectors.gains.economics.position import LiquidationTerms
from connectors.gains.economics.scales import Collateral as Token
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
    ``factors``: those of openings. ``fees``, ``liquidation``: None where they cannot be read."""

    name: str
    spread_p: int
    min_leverage_e3: int
    max_leverage_e3: int | None
    above: Side | None
    below: Side | None
    factors: PairFactors
    fees: FeeTerms | None
    liquidation: LiquidationTerms | None = None


class PairOi(NamedTuple):
    """Open interest of a pair in one collateral. ``limit``: 0 = not traded. Tokens are e18.
    ``before_v10``: with the limit; None where it cannot be read."""

    limit: int
    long_token: int
    short_token: int
    before_v10: OpenInterest | None


@dataclass(frozen=True, slots=True)
class PairTerms:
    """Limits of a pair in one collateral and what holding costs, as ``holding.HoldingTerms`` has
    it. ``group``: the borrowing group it is in; ``grouped`` False: in none, and then the first
    counts for limits."""

    max_skew_e10: int
    funding: Funding
    funding_terms: FundingTerms
    rate_v2_p: int
    accrual: Accrual
    cap: FeeCap
    group: int
    grouped: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A borrowing group of one collateral."""

    oi: OpenInterest
    accrual: Accrual


@dataclass(frozen=True, slots=True)
class Collateral:
    """An active one. ``token``: decimals and price, None where they cannot be read. ``ois``,
    ``skew_depths`` (e18 pair tokens), ``terms``: by pair index, often shorter; ``terms`` None where
    a pair is not traded or cannot be read. ``groups``: by index."""

    index: int
    symbol: str
    token: Token | None
    ois: tuple[PairOi, ...]
    skew_depths: tuple[int, ...]
    terms: tuple[PairTerms | None, ...]
    groups: tuple[Group | None, ...]


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
    """New open interest in tokens; None where the message tells only that it changed.
    ``before_v10``: None where it says nothing of it."""

    pair: int
    collateral: int
    tokens: tuple[int, int] | None
    before_v10: OpenInterest | None = None


class GroupUpdate(NamedTuple):
    """New open interest of a borrowing group, e10."""

    group: int
    collateral: int
    long_e10: int
    short_e10: int


class FundingUpdate(NamedTuple):
    """Funding of a pair was stored."""

    pair: int
    collateral: int
    funding: Funding


class Reorg(NamedTuple):
    """Blocks were taken back: nothing the stream said before can be relied on."""


Update: TypeAlias = Variables | VolumeUpdate | OiUpdate | GroupUpdate | FundingUpdate | Reorg
