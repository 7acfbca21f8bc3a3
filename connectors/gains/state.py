"""The state of one chain: what its pools add to the oracle price, and whether that is known.

A fetch and the stream come over different connections. What the stream says while a fetch is under
way is remembered and applied on top of the answer, which may be older.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from connectors.base.markets import AssetClass
from connectors.gains import constants as c
from connectors.gains.economics.depth import NO_DEPTH, Side, volume_impact_p
from connectors.gains.economics.funding import Funding
from connectors.gains.economics.holding import HoldingTerms
from connectors.gains.economics.impact import PairState, fixed_spread_p, standing_skew_p
from connectors.gains.economics.inputs import PoolState
from connectors.gains.economics.limits import Exposure
from connectors.gains.model import (
    Collateral,
    FundingUpdate,
    Group,
    GroupUpdate,
    OiUpdate,
    Pair,
    PairOi,
    Reorg,
    Update,
    Variables,
    Volume,
    VolumeUpdate,
)
from connectors.gains.touch import PoolTerms

HALTS: Final = {0: None, 1: "CLOSE_ONLY", 2: "PAUSED"}
_NEVER_NS: Final = -(2**63)


def listed(variables: Variables, index: int, name: str) -> tuple[Collateral, ...]:
    """Collaterals that a pair can be traded with; none when the slot holds another pair."""
    pair = variables.pairs[index] if index < len(variables.pairs) else None
    if pair is None or pair.name != name or pair.max_leverage_e3 is None:
        return ()
    return tuple(
        collateral
        for collateral in variables.collaterals
        if index < len(collateral.ois) and collateral.ois[index].limit
    )


class PoolView(NamedTuple):
    """What a size costs in a pool, and what it costs to hold it."""

    state: PoolState
    holding: HoldingTerms


class ChainState:
    """Owned by the event loop: the sessions of one connector share it.

    ``version`` rises with every change of ``pools``, ``halt`` or hours. ``load_from_ns``: when the
    next fetch is wanted.
    """

    def __init__(self, chain_id: int) -> None:
        self.chain_id = chain_id
        self.version = 0
        self.load_from_ns = 0
        self._variables: Variables | None = None
        self._as_of_ns = _NEVER_NS
        self._volumes: list[dict[int, Volume] | None] = []
        # By (collateral, pair) or (collateral, group).
        self._ois: dict[tuple[int, int], PairOi] = {}
        self._groups: dict[tuple[int, int], Group | None] = {}
        self._funding: dict[tuple[int, int], Funding] = {}
        self._pools: dict[int, dict[str, PoolTerms | None]] = {}
        self._window: int | None = None
        self._dirty: set[int] = set()
        self._views: dict[int, dict[str, PoolView]] = {}
        self._outdated: set[int] = set()
        self._settled_s = 0
        self._asked_ns = _NEVER_NS
        self._since_asked: list[Update] | None = None
        self._spoilt = False

    # What it says -------------------------------------------------------------------------------

    def usable(self, mono_ns: int) -> bool:
        return self._variables is not None and mono_ns - self._as_of_ns <= c.STATE_MAX_AGE_NS

    @property
    def variables(self) -> Variables | None:
        """The last whole state; None while in doubt. Open interest may have moved on since."""
        return self._variables

    @property
    def halt(self) -> str | None:
        """Why nobody can open a trade on this chain."""
        return None if self._variables is None else HALTS[self._variables.trading_state]

    def is_open(self, asset_class: AssetClass) -> bool:
        return self._variables is not None and self._variables.hours[asset_class]

    def pools(self, index: int, name: str) -> dict[str, PoolTerms | None]:
        """Pools of a pair as of the last ``settle``; None where the impact cannot be computed."""
        pairs = () if self._variables is None else self._variables.pairs
        pair = pairs[index] if index < len(pairs) else None
        return {} if pair is None or pair.name != name else self._pools.get(index, {})

    def views(self, index: int, name: str) -> Mapping[str, PoolView]:
        """The pools of a pair that can be priced at a size, as of the last ``settle``.

        Made when they are asked for; what did not change stays the same object.
        """
        variables = self._variables
        pair = variables.pairs[index] if variables and index < len(variables.pairs) else None
        if variables is None or pair is None or pair.name != name:
            return {}
        found = self._views.get(index)
        if found is None or index in self._outdated:
            before = found or {}
            found = self._views[index] = self._made(variables, pair, index)
            for pool, view in found.items():
                if pool in before and before[pool].state == view.state:
                    found[pool] = PoolView(before[pool].state, view.holding)
            self._outdated.discard(index)
        return found

    def _made(self, variables: Variables, pair: Pair, index: int) -> dict[str, PoolView]:
        volumes, exempt = self._volumes[index], pair.factors.exempt_on_open
        known = exempt or not (pair.above is None or pair.below is None or volumes is None)
        if pair.fees is None or not known:
            return {}
        sums = [
            variables.windows.volume(
                {window: volume[side] for window, volume in (volumes or {}).items()},
                self._settled_s,
            )
            for side in (0, 1)
        ]
        # All but open interest and skew is the same for every collateral.
        state = PairState(
            spread_p=pair.spread_p,
            above=pair.above or NO_DEPTH,
            below=pair.below or NO_DEPTH,
            offsets_ppm=variables.offsets_ppm,
            volume_long_usd_e18=sums[0],
            volume_short_usd_e18=sums[1],
            long_token_e18=0,
            short_token_e18=0,
            skew_depth_e18=0,
            factors=pair.factors,
        )
        views: dict[str, PoolView] = {}
        for collateral in listed(variables, index, pair.name):
            found = self._exposed(collateral, index)
            if found is not None and collateral.token is not None:
                oi, exposure, holding = found
                depths = collateral.skew_depths
                in_collateral = replace(
                    state,
                    long_token_e18=oi.long_token,
                    short_token_e18=oi.short_token,
                    skew_depth_e18=depths[index] if index < len(depths) else 0,
                )
                priced = PoolState(
                    collateral.token,
                    in_collateral,
                    pair.fees,
                    exposure,
                    pair.min_leverage_e3,
                    pair.liquidation,
                )
                views[f"{self.chain_id}:{collateral.symbol}"] = PoolView(priced, holding)
        return views

    def _exposed(
        self, collateral: Collateral, index: int
    ) -> tuple[PairOi, Exposure, HoldingTerms] | None:
        """None where anything of it cannot be read."""
        terms = collateral.terms[index] if index < len(collateral.terms) else None
        if terms is None:
            return None
        oi, group = (
            self._ois[collateral.index, index],
            self._groups.get((collateral.index, terms.group)),
        )
        if oi.before_v10 is None or group is None:
            return None
        holding = HoldingTerms(
            self._funding.get((collateral.index, index), terms.funding),
            terms.funding_terms,
            terms.rate_v2_p,
            terms.accrual,
            terms.cap,
            group.accrual if terms.grouped else None,
        )
        return oi, Exposure(oi.before_v10, group.oi, terms.max_skew_e10), holding

    def settle(self, now_s: int) -> None:
        """Computes anew what changed; when a window ends, everything."""
        variables = self._variables
        if variables is None:
            return
        self._settled_s = now_s
        window = variables.windows.current(now_s)
        if window != self._window:
            self._window = window
            self._dirty.update(range(len(variables.pairs)))
        if self._dirty:
            for index in self._dirty:
                self._pools[index] = self._terms(variables, index, now_s)
            self._outdated |= self._dirty
            self._dirty.clear()
            self.version += 1

    def _terms(self, variables: Variables, index: int, now_s: int) -> dict[str, PoolTerms | None]:
        pair = variables.pairs[index]
        if pair is None:
            return {}
        pools: dict[str, PoolTerms | None] = {}
        sides = None
        for collateral in listed(variables, index, pair.name):
            sides = sides or self._both_sides(variables, pair, index, now_s)
            terms = None
            if sides is not None:
                skew_p = self._skew_p(collateral, index)
                terms = PoolTerms(sides.bid_p + skew_p, sides.ask_p + skew_p)
            pools[f"{self.chain_id}:{collateral.symbol}"] = terms
        return pools

    def _both_sides(
        self, variables: Variables, pair: Pair, index: int, now_s: int
    ) -> PoolTerms | None:
        """Spread and standing impact without skew, the same for every collateral."""
        volumes = self._volumes[index]
        if pair.factors.exempt_on_open:
            impact = PoolTerms(0, 0)
        elif pair.above is None or pair.below is None or volumes is None:
            return None
        else:
            shorts = {window: volume.short_usd for window, volume in volumes.items()}
            longs = {window: volume.long_usd for window, volume in volumes.items()}
            impact = PoolTerms(
                self._standing_p(variables, pair, pair.below, shorts, now_s, up=False),
                self._standing_p(variables, pair, pair.above, longs, now_s, up=True),
            )
        return PoolTerms(
            fixed_spread_p(pair.spread_p, up=False) + impact.bid_p,
            fixed_spread_p(pair.spread_p, up=True) + impact.ask_p,
        )

    @staticmethod
    def _standing_p(
        variables: Variables,
        pair: Pair,
        side: Side,
        sizes: dict[int, int],
        now_s: int,
        *,
        up: bool,
    ) -> int:
        volume = variables.windows.volume(sizes, now_s)
        if pair.factors.cumulative_e10:
            volume = volume * pair.factors.cumulative_e10 // c.FACTOR_ONE
        return volume_impact_p(volume, 0, side, variables.offsets_ppm, up=up)

    def _skew_p(self, collateral: Collateral, index: int) -> int:
        if index >= len(collateral.skew_depths):
            return 0
        oi = self._ois[collateral.index, index]
        return standing_skew_p(oi.long_token, oi.short_token, collateral.skew_depths[index])

    # What it is told ----------------------------------------------------------------------------

    def want_load(self, mono_ns: int, spacing_ns: int = c.RELOAD_SPACING_NS) -> None:
        """A fetch, as soon as ``spacing_ns`` after the last one allows."""
        self.load_from_ns = min(self.load_from_ns, max(mono_ns, self._asked_ns + spacing_ns))

    def doubt(self, mono_ns: int) -> None:
        """Something was said that cannot be known: only a fetch that starts now tells."""
        self._variables = None
        self._spoilt = True
        self.version += 1
        self.want_load(mono_ns)

    def load_begins(self, mono_ns: int) -> None:
        self._asked_ns = mono_ns
        self._since_asked = []
        self._spoilt = False
        self.load_from_ns = mono_ns + c.POLL_NS

    def load_failed(self, mono_ns: int) -> None:
        """The answer to a fetch will not come."""
        self._since_asked = None
        self.load_from_ns = mono_ns

    def loaded(self, variables: Variables) -> None:
        """The answer to the fetch. Not used when something in between cast doubt on it."""
        later, self._since_asked = self._since_asked or [], None
        if self._spoilt:
            self.want_load(self._asked_ns)
            return
        self._replace(variables, self._asked_ns)
        for update in later:
            self._apply(update, self._asked_ns)

    def take(self, update: Update, mono_ns: int) -> None:
        """A message of the stream."""
        if self._since_asked is not None:
            self._since_asked.append(update)
            if len(self._since_asked) > c.BUFFER:
                self._since_asked.clear()
                self._spoilt = True
        self._apply(update, mono_ns)

    def _apply(self, update: Update, mono_ns: int) -> None:
        if isinstance(update, Variables):
            self._replace(update, mono_ns)
        elif isinstance(update, Reorg):
            self.doubt(mono_ns)
        elif isinstance(update, VolumeUpdate):
            self._on_volume(update)
        elif isinstance(update, OiUpdate):
            self._on_oi(update, mono_ns)
        elif isinstance(update, GroupUpdate):
            self._on_group(update)
        else:
            self._on_funding(update)

    def _replace(self, variables: Variables, as_of_ns: int) -> None:
        self._variables = variables
        self._as_of_ns = as_of_ns
        known = variables.volumes
        self._volumes = [
            _copied(known[index]) if index < len(known) else {}
            for index in range(len(variables.pairs))
        ]
        self._ois = {
            (collateral.index, index): oi
            for collateral in variables.collaterals
            for index, oi in enumerate(collateral.ois[: len(variables.pairs)])
        }
        self._groups = {
            (collateral.index, index): group
            for collateral in variables.collaterals
            for index, group in enumerate(collateral.groups)
        }
        self._funding.clear()
        self._outdated = set(range(len(variables.pairs)))
        self._dirty.clear()
        self._window = None

    def _on_volume(self, update: VolumeUpdate) -> None:
        volumes = self._volumes[update.pair] if update.pair < len(self._volumes) else None
        if volumes is None:
            return
        volumes[update.window] = update.volume
        if len(volumes) > c.WINDOWS_KEPT:
            del volumes[min(volumes)]
        self._dirty.add(update.pair)

    def _on_oi(self, update: OiUpdate, mono_ns: int) -> None:
        place = update.collateral, update.pair
        if place not in self._ois:
            return
        if update.tokens is None:
            self.want_load(mono_ns, c.OUTDATED_SPACING_NS)
            return
        before = self._ois[place]
        self._ois[place] = PairOi(
            before.limit, *update.tokens, update.before_v10 or before.before_v10
        )
        self._dirty.add(update.pair)

    def _on_group(self, update: GroupUpdate) -> None:
        place = update.collateral, update.group
        group = self._groups.get(place)
        if group is None or self._variables is None:
            return
        oi = replace(group.oi, long_e10=update.long_e10, short_e10=update.short_e10)
        self._groups[place] = replace(group, oi=oi)
        for collateral in self._variables.collaterals:
            if collateral.index == update.collateral:
                self._outdated.update(
                    index
                    for index, terms in enumerate(collateral.terms)
                    if terms is not None and terms.group == update.group
                )

    def _on_funding(self, update: FundingUpdate) -> None:
        self._funding[update.collateral, update.pair] = update.funding
        self._outdated.add(update.pair)


def _copied(volumes: dict[int, Volume] | None) -> dict[int, Volume] | None:
    return None if volumes is None else dict(volumes)
