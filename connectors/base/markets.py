"""The market map: which key of which venue means which canonical market.

`markets.toml` is the only source. A key that no row and no written rule maps is unmapped with a
reason: nothing here compares prices, trims symbols or guesses. The format is explained in the
file itself. Everything but `load` is pure.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from domain.errors import InvariantViolation
from domain.ids import MarketId, VenueId

DYDX: Final = VenueId("dydx")
GMX: Final = VenueId("gmx")
GAINS: Final = VenueId("gains")
VENUES: Final = (DYDX, GMX, GAINS)

NOT_IN_TABLE: Final = "not in markets.toml"

_MAJOR: Final = frozenset(("USD", "EUR", "GBP", "JPY", "CHF", "AUD", "NZD", "CAD", "CNH", "SGD"))
_MINOR: Final = frozenset(("SEK", "NOK", "KRW", "INR", "MXN", "TWD", "ZAR", "BRL", "TRY"))
FIAT: Final = _MAJOR | _MINOR

TABLE_PATH: Final = Path(__file__).resolve().parent.parent / "markets.toml"

_CANONICAL: Final = re.compile(r"([A-Z0-9.]+)-([A-Z]{3})")
_TICKER: Final = re.compile(r"[A-Z0-9,_.]+-USD")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_PAIR: Final = re.compile(r"[A-Z0-9_]+/[A-Z]{3}")
_REASON: Final = re.compile(
    r"(ambiguous|collateral|delisted|deprecated|event|no market|renamed|scaled|split|swap-only"
    r"|test|twin): \S.*"
)
_LIST_OF: Final = {DYDX: "tickers", GMX: "tokens", GAINS: "pairs"}
_MAX_PAIR_INDEX: Final = 2**16 - 1


class AssetClass(StrEnum):
    """What moves the price; the trading hours are the venue's own affair."""

    CRYPTO = "crypto"
    FX = "fx"
    EQUITY = "equity"
    INDEX = "index"
    COMMODITY = "commodity"


@dataclass(frozen=True, slots=True)
class VenueEntry:
    """One venue's key as the table writes it, and the venue's name for it when recorded.

    ``key``: dYdX ticker, GMX index token address (checksummed), Gains pair index in decimal.
    """

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class MarketRow:
    """One canonical market and where it is listed."""

    market: MarketId
    base: str
    quote: str
    asset_class: AssetClass
    entries: Mapping[VenueId, VenueEntry]


@dataclass(frozen=True, slots=True)
class TickerRule:
    """Written rule for keys without a row: a plain ticker names itself, and with the venue's name
    (``HYPE.DYDX-USD``) where the symbol alone may mean something else."""

    pattern: re.Pattern[str]
    scaled_prefixes: tuple[str, ...]
    deny: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Resolution:
    """Exactly one of the two is set."""

    market: MarketId | None
    reason: str | None


class MarketMap:
    """The parsed table; immutable. Build it with `parse` or `load`."""

    __slots__ = ("_by_key", "_rows", "_rules", "_unmapped")

    def __init__(
        self,
        rows: Mapping[MarketId, MarketRow],
        unmapped: Mapping[VenueId, Mapping[str, str]],
        rules: Mapping[VenueId, TickerRule],
    ) -> None:
        self._rows = MappingProxyType(dict(rows))
        self._unmapped = {venue: MappingProxyType(dict(keys)) for venue, keys in unmapped.items()}
        self._rules = dict(rules)
        self._by_key = {
            (venue, _slot(venue, entry.key)): (row.market, entry)
            for row in rows.values()
            for venue, entry in row.entries.items()
        }

    def resolve(self, venue: VenueId, key: str | int, name: str | None = None) -> Resolution:
        """Market of a venue key, or why there is none.

        Shape: ``name`` is the pair's live name, required for Gains: a slot whose name is not the
        recorded one is unmapped. Other venues ignore it.
        Raises: InvariantViolation for an unknown venue or a Gains key without a name.
        """
        _known(venue)
        if venue == GAINS and name is None:
            raise InvariantViolation("market_name_missing", f"gains pair {key} without its name")
        slot = _slot(venue, key)
        hit = self._by_key.get((venue, slot))
        if hit is not None:
            market, entry = hit
            if venue == GAINS and name != entry.name:
                return Resolution(None, f"name changed: {entry.name} is now {name}")
            return Resolution(market, None)
        listed = self.unmapped(venue).get(slot)
        if listed is not None:
            return Resolution(None, listed)
        return self._by_rule(venue, slot)

    def canonical(self, venue: VenueId, key: str | int, name: str | None = None) -> MarketId | None:
        """Market of a venue key; None is unmapped. See `resolve`."""
        return self.resolve(venue, key, name).market

    def reason(self, venue: VenueId, key: str | int, name: str | None = None) -> str | None:
        """Why a venue key is unmapped; None means that it is mapped. See `resolve`."""
        return self.resolve(venue, key, name).reason

    def venue_key(self, venue: VenueId, market: MarketId) -> str | None:
        """The key a row gives to ``market`` at ``venue``, as the venue writes it; else None."""
        _known(venue)
        row = self._rows.get(market)
        entry = None if row is None else row.entries.get(venue)
        return None if entry is None else entry.key

    def asset_class(self, market: MarketId) -> AssetClass | None:
        """Class of a market of the table; None for one that only a rule names."""
        row = self._rows.get(market)
        return None if row is None else row.asset_class

    def rows(self) -> tuple[MarketRow, ...]:
        """Every row, in the order of the file."""
        return tuple(self._rows.values())

    def markets(self, venue: VenueId) -> tuple[MarketId, ...]:
        """Markets that a row gives to ``venue``; those of a rule are known only from live lists."""
        _known(venue)
        return tuple(row.market for row in self._rows.values() if venue in row.entries)

    def unmapped(self, venue: VenueId) -> Mapping[str, str]:
        """Keys listed as unmapped, with the reason. GMX addresses are in lower case."""
        _known(venue)
        return self._unmapped.get(venue, MappingProxyType({}))

    def _by_rule(self, venue: VenueId, slot: str) -> Resolution:
        rule = self._rules.get(venue)
        if rule is None or rule.pattern.fullmatch(slot) is None:
            return Resolution(None, NOT_IN_TABLE)
        base, _, quote = slot.rpartition("-")
        doubtful = (
            slot in rule.deny
            or base.startswith(rule.scaled_prefixes)
            or base in FIAT
            or MarketId(slot) in self._rows
        )
        # A name of the venue's own keeps a doubtful market tradable without a claim that it is the
        # asset of another venue's market, or of anybody else's symbol.
        return Resolution(MarketId(f"{base}.{venue.upper()}-{quote}" if doubtful else slot), None)


def load(path: Path = TABLE_PATH) -> MarketMap:
    """The committed table. Raises: InvariantViolation when it breaks a rule of the format."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> MarketMap:
    """Parse and check the table.

    Raises: InvariantViolation (``bad_market_table``) naming the first fault: not TOML, an unknown
    key, a malformed name, a venue key used twice or both mapped and unmapped.
    """
    try:
        document: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(f"not TOML: {error}") from error
    top = _table(document, "file")
    _only(top, {"schema", "markets", "unmapped", "rules"}, "file")
    if top.get("schema") != 1:
        raise _bad("schema must be 1")
    rows = {row.market: row for row in _rows(top.get("markets", {}))}
    unmapped = _unmapped(top.get("unmapped", {}))
    rules = _rules(top.get("rules", {}))
    _check_keys(rows, unmapped, rules)
    return MarketMap(rows, unmapped, rules)


def _rows(value: object) -> Iterator[MarketRow]:
    seen: set[str] = set()
    for class_name, section in _table(value, "markets").items():
        where = f"markets.{class_name}"
        if class_name not in set(AssetClass):
            raise _bad(f"{where}: unknown asset class")
        for name, columns in _table(section, where).items():
            if name in seen:
                raise _bad(f"{where}.{name}: canonical name used twice")
            seen.add(name)
            yield _row(name, AssetClass(class_name), columns)


def _row(name: str, asset_class: AssetClass, columns: object) -> MarketRow:
    match = _CANONICAL.fullmatch(name)
    if match is None or match[2] not in FIAT:
        raise _bad(f"{name}: canonical name is BASE-QUOTE, base [A-Z0-9.]+, quote a fiat code")
    base, quote = match[1], match[2]
    if asset_class is AssetClass.FX:
        if base not in FIAT or base == quote:
            raise _bad(f"{name}: an fx market has two different fiat codes")
    elif base in FIAT or quote != "USD":
        raise _bad(f"{name}: only fx markets have a fiat base or a quote other than USD")
    table = _table(columns, name)
    _only(table, set(VENUES), name)
    if not table:
        raise _bad(f"{name}: no venue")
    entries = {VenueId(venue): _entry(VenueId(venue), raw, name) for venue, raw in table.items()}
    return MarketRow(MarketId(name), base, quote, asset_class, MappingProxyType(entries))


def _entry(venue: VenueId, value: object, where: str) -> VenueEntry:
    if venue == DYDX:
        if not isinstance(value, str) or _TICKER.fullmatch(value) is None:
            raise _bad(f"{where}: dydx is a ticker such as BTC-USD, not {value!r}")
        return VenueEntry(value, value)
    table = _table(value, f"{where}.{venue}")
    key_field, name_field = ("token", "symbol") if venue == GMX else ("index", "name")
    _only(table, {key_field, name_field}, f"{where}.{venue}")
    key, name = table.get(key_field), table.get(name_field)
    if not isinstance(name, str) or not name:
        raise _bad(f"{where}: {venue} needs {name_field}")
    if venue == GMX:
        if not isinstance(key, str) or _ADDRESS.fullmatch(key) is None:
            raise _bad(f"{where}: gmx token is an address, not {key!r}")
        return VenueEntry(key, name)
    if not isinstance(key, int) or isinstance(key, bool) or not 0 <= key <= _MAX_PAIR_INDEX:
        raise _bad(f"{where}: gains index is a uint16, not {key!r}")
    if _PAIR.fullmatch(name) is None:
        raise _bad(f"{where}: gains name is FROM/TO, not {name!r}")
    return VenueEntry(str(key), name)


def _unmapped(value: object) -> dict[VenueId, dict[str, str]]:
    table = _table(value, "unmapped")
    _only(table, set(VENUES), "unmapped")
    result: dict[VenueId, dict[str, str]] = {}
    for venue_name, groups in table.items():
        venue = VenueId(venue_name)
        result[venue] = _reasons(venue, groups, f"unmapped.{venue}")
    return result


def _reasons(venue: VenueId, groups: object, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    list_field = _LIST_OF[venue]
    for group in _list(groups, where):
        table = _table(group, where)
        _only(table, {"reason", list_field}, where)
        reason = table.get("reason")
        if not isinstance(reason, str) or _REASON.fullmatch(reason) is None:
            raise _bad(f"{where}: reason is 'kind: explanation' of a known kind, not {reason!r}")
        for raw in _list(table.get(list_field), f"{where}.{list_field}"):
            slot = _slot(venue, _entry(venue, raw, where).key)
            if slot in found:
                raise _bad(f"{where}: {slot} listed twice")
            found[slot] = reason
    return found


def _rules(value: object) -> dict[VenueId, TickerRule]:
    table = _table(value, "rules")
    _only(table, {DYDX}, "rules")
    if DYDX not in table:
        return {}
    rule = _table(table[DYDX], "rules.dydx")
    _only(rule, {"pattern", "scaled_prefixes", "deny"}, "rules.dydx")
    pattern = rule.get("pattern")
    if not isinstance(pattern, str) or not pattern.endswith("-USD$"):
        raise _bad("rules.dydx: pattern must end in -USD$")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise _bad(f"rules.dydx: pattern: {error}") from error
    prefixes = []
    for prefix in _list(rule.get("scaled_prefixes"), "rules.dydx.scaled_prefixes"):
        if not isinstance(prefix, str) or not prefix:
            raise _bad("rules.dydx: scaled_prefixes are texts")
        prefixes.append(prefix)
    deny = _reasons(DYDX, rule.get("deny", []), "rules.dydx.deny")
    return {DYDX: TickerRule(compiled, tuple(prefixes), MappingProxyType(deny))}


def _check_keys(
    rows: Mapping[MarketId, MarketRow],
    unmapped: Mapping[VenueId, Mapping[str, str]],
    rules: Mapping[VenueId, TickerRule],
) -> None:
    used: dict[tuple[VenueId, str], str] = {}
    for row in rows.values():
        for venue, entry in row.entries.items():
            slot = _slot(venue, entry.key)
            first = used.setdefault((venue, slot), row.market)
            if first != row.market:
                raise _bad(f"{venue} key {slot} is in {first} and in {row.market}")
    denied = {venue: rule.deny for venue, rule in rules.items()}
    for word, lists in (("unmapped", unmapped), ("denied", denied)):
        for venue, keys in lists.items():
            for slot in keys:
                first = used.setdefault((venue, slot), word)
                if first != word:
                    raise _bad(f"{venue} key {slot} is {word} and in {first}")


def _slot(venue: VenueId, key: str | int) -> str:
    """Form in which keys are compared: addresses without regard to case, indices as digits."""
    return str(key).lower() if venue == GMX else str(key)


def _known(venue: VenueId) -> None:
    if venue not in VENUES:
        raise InvariantViolation("market_venue_unknown", f"{venue} has no column in markets.toml")


def _bad(message: str) -> InvariantViolation:
    return InvariantViolation("bad_market_table", f"markets.toml: {message}")


def _table(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _bad(f"{where} is not a table")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise _bad(f"{where} is not a list")
    return value


def _only(table: Mapping[str, object], allowed: set[str] | set[VenueId], where: str) -> None:
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise _bad(f"{where}: unknown key {unknown[0]}")
