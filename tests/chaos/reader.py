"""What became of accepted orders, by an independent reader: Postgres in SQL, the streams of
accounts, the chains over JSON-RPC, and the list of what a client was answered. Imports nothing of
the project.

    python -m tests.chaos.reader RUNTIME.json ACCEPTED.jsonl

A line of the list: ``{"id", "key", "account", "chain_id"}``, for every answer 202 that a client was
given, also a repeated one. Read when nothing is under way. The invariants are:

I1 an accepted order is in one state, and that is what its history and the chain say; I2 it has at
most one effect; I3 the ledger is what the chain filled; I4 no nonce is missing or used twice; I5
the events of an order and of its account have no hole and no double; I6 nothing was placed on a
quote that had expired; I7 dead letters, live and ended ones are all that were accepted.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import asyncpg
from redis.asyncio import Redis

from . import chains
from .chains import ChainView, Fill, Sent

Kind = Literal["lost", "doubled", "contradicted"]
KINDS: Final[tuple[Kind, ...]] = ("lost", "doubled", "contradicted")
INVARIANTS: Final = ("I1", "I2", "I3", "I4", "I5", "I6", "I7")
ENDED: Final = frozenset(("filled", "cancelled", "expired", "rejected"))
LIVE: Final = frozenset(
    ("accepted", "prepared", "submitted", "mined", "working", "partially_filled", "unknown")
)
_NOTHING_THERE: Final = frozenset(
    ("accepted", "prepared", "submitted", "cancelled", "expired", "rejected", "unknown", "dead")
)
_REST: Final = frozenset(("submitted", "mined", "working", "unknown"))
_CLOSE_ENOUGH: Final = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    invariant: str
    order_id: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.invariant} {self.order_id}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``states``: how many of the accepted ones are in which."""

    accepted: int
    states: Mapping[str, int]
    findings: Sequence[Finding]

    def count(self, kind: Kind) -> int:
        return sum(finding.kind == kind for finding in self.findings)

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        counts = ", ".join(f"{self.count(kind)} {kind}" for kind in KINDS)
        by = Counter((finding.invariant, finding.kind) for finding in self.findings)
        table = [
            f"{name}: " + ", ".join(f"{by[name, kind]} {kind}" for kind in KINDS)
            for name in INVARIANTS
        ]
        told = [f"{self.accepted} accepted: {states}", *table, counts, *map(str, self.findings)]
        return "\n".join(told)


class Answer(NamedTuple):
    """A line of the list."""

    id: str
    key: str
    account: str
    chain_id: int


class _Books(NamedTuple):
    """Rows of Postgres. By id of the order, but for ``orders`` and ``keys``, those by (account,
    key)."""

    orders: Mapping[str, Mapping[str, Any]]
    events: Mapping[str, list[Any]]
    fills: Mapping[str, list[Any]]
    attempts: Mapping[str, list[Any]]
    outbox: Mapping[str, list[Any]]
    letters: Mapping[str, list[Any]]
    quotes: Mapping[str, list[Any]]
    keys: Mapping[tuple[str, str], Any]
    told: Mapping[str, Counter[int]]
    holes: Sequence[str]


async def check(
    database_url: str, redis_url: str, views: Mapping[int, ChainView], answers: Sequence[Answer]
) -> Verdict:
    """Raises what asyncpg and redis raise."""
    books = await _books(database_url, redis_url, {answer.account for answer in answers})
    wanted = {answer.id: answer for answer in answers}
    findings = list(_of_answers(books, answers))
    findings += _strangers(books, wanted.keys(), views)
    states: Counter[str] = Counter()
    for order_id, answer in wanted.items():
        row = books.orders.get(order_id)
        if row is None:
            findings.append(Finding("lost", "I1", order_id, "accepted, and not in Postgres"))
            continue
        states[row["state"]] += 1
        view = views[answer.chain_id]
        findings += _of_history(books, row)
        findings += _of_chain(books, row, view)
        findings += _of_nonces(books, row, view)
    for hole in books.holes:
        findings.append(Finding("lost", "I5", hole, "a hole in the stream of the account"))
    return Verdict(len(wanted), states, findings)


# What clients were answered --------------------------------------------------------------------


def _of_answers(books: _Books, answers: Sequence[Answer]) -> Iterator[Finding]:
    """I1, I6 and I7, of requests and their keys."""
    given: dict[tuple[str, str], set[str]] = {}
    for answer in answers:
        given.setdefault((answer.account, answer.key), set()).add(answer.id)
    for (account, key), ids in given.items():
        if len(ids) > 1:
            yield Finding("doubled", "I1", min(ids), f"one key, {len(ids)} orders: {sorted(ids)}")
        kept = books.keys.get((account, key))
        if kept is None:
            yield Finding("lost", "I1", min(ids), "its key is not known")
        elif kept not in ids:
            yield Finding("contradicted", "I1", min(ids), f"its key leads to {kept}")


def _strangers(
    books: _Books, known: Iterable[str], views: Mapping[int, ChainView]
) -> Iterator[Finding]:
    """Orders, and effects with a tag, that nobody was answered for."""
    known = set(known)
    for order_id in books.orders.keys() - known:
        yield Finding("doubled", "I1", order_id, "in Postgres, and nobody was told of it")
    tags = {chains.tag_of(order_id) for order_id in known}
    for view in views.values():
        for sent in view.sent:
            if sent.ok and sent.created and sent.tag not in tags:
                yield Finding("lost", "I1", "-", f"{sent.tx_hash} is of an order nobody knows")


# History ------------------------------------------------------------------------------------------


def _of_history(books: _Books, row: Mapping[str, Any]) -> Iterator[Finding]:
    order_id, state, version = str(row["id"]), row["state"], row["version"]
    seqs = [event["seq"] for event in books.events[order_id]]
    wanted = list(range(1, version + 1))
    if seqs != wanted:
        yield Finding("lost", "I5", order_id, f"events {seqs} at version {version}")
    elif (last := books.events[order_id][-1]["to_state"]) != state:
        yield Finding("contradicted", "I1", order_id, f"{state}, and its history says {last}")
    told = books.told.get(order_id, Counter())
    if missing := [seq for seq in wanted if not told[seq]]:
        yield Finding("lost", "I5", order_id, f"its account was not told of {missing}")
    if twice := [seq for seq, times in told.items() if times > 1]:
        yield Finding("doubled", "I5", order_id, f"its account was told twice of {sorted(twice)}")
    letters = [row for row in books.letters[order_id] if row["replayed_at"] is None]
    if (state == "dead") != bool(letters) or len(letters) > 1:
        yield Finding("contradicted", "I7", order_id, f"{state} with {len(letters)} dead letters")
    if state not in ENDED and state not in LIVE and state != "dead":
        yield Finding("contradicted", "I7", order_id, f"{state} is no state")
    if undone := [entry for entry in books.outbox[order_id] if entry["done_at"] is None]:
        yield Finding("lost", "I7", order_id, f"{len(undone)} wake-ups that nobody has done")
    for quote in books.quotes[order_id]:
        opens = json.loads(row["intent"])["intent"] in ("open", "increase")
        if opens and row["created_at"] > quote["expires_at"]:
            yield Finding("contradicted", "I6", order_id, "opened on a quote that had expired")


# The chain ----------------------------------------------------------------------------------------


def _of_chain(books: _Books, row: Mapping[str, Any], view: ChainView) -> Iterator[Finding]:
    order_id, state = str(row["id"]), row["state"]
    tag = chains.tag_of(order_id)
    mine = [sent for sent in view.sent if sent.tag == tag and sent.ok]
    refs = [ref for sent in mine for ref in sent.created]
    if len(refs) > 1:
        yield Finding("doubled", "I2", order_id, f"{len(refs)} requests at the venue: {refs}")
    fills = [fill for fill in view.fills if fill.ref in refs]
    yield from _of_ledger(order_id, books.fills[order_id], fills)
    if not refs and state not in _NOTHING_THERE:
        yield Finding("contradicted", "I1", order_id, f"{state}, and the venue has nothing of it")
    if fills and state not in ("filled", "partially_filled"):
        yield Finding("contradicted", "I1", order_id, f"{state}, and the venue filled it")
    gone = not fills and any(ref in view.cancelled for ref in refs)
    if gone and state != "cancelled":
        yield Finding("contradicted", "I1", order_id, f"{state}, and the venue cancelled it")
    if refs and not fills and not gone and state not in _REST:
        yield Finding("contradicted", "I1", order_id, f"{state}, and it rests at the venue")


def _of_ledger(order_id: str, booked: Sequence[Any], fills: Sequence[Fill]) -> Iterator[Finding]:
    """I3."""
    there = {(fill.tx_hash, fill.log_index): fill for fill in fills}
    here = {(row["tx_hash"], row["log_index"]): row for row in booked}
    for key in there.keys() - here.keys():
        yield Finding("lost", "I3", order_id, f"the fill {key} is not in the ledger")
    for key in here.keys() - there.keys():
        kind: Kind = "doubled" if there else "contradicted"
        yield Finding(kind, "I3", order_id, f"the ledger has {key}, and the chain does not")
    for key in there.keys() & here.keys():
        row, fill = here[key], there[key]
        for name, mine, theirs in (
            ("price", row["price"], fill.price),
            ("size", row["size_base"], fill.size_base),
        ):
            if abs(mine - theirs) > theirs * _CLOSE_ENOUGH:
                text = f"{name} {mine} in the ledger, {theirs} on the chain"
                yield Finding("contradicted", "I3", order_id, text)


def _of_nonces(books: _Books, row: Mapping[str, Any], view: ChainView) -> Iterator[Finding]:
    """I4, and what every transaction of the order came to."""
    order_id, owner = str(row["id"]), row["owner"].lower()
    nonces = sorted(view.nonces.get(owner, []))
    if nonces != list(range(len(nonces))):
        yield Finding("contradicted", "I4", order_id, f"nonces of {owner} are {nonces}")
    if owner in view.stuck:
        yield Finding("lost", "I4", order_id, f"transactions of {owner} wait behind a missing one")
    mined: Mapping[str, Sent] = {sent.tx_hash: sent for sent in view.sent}
    used: Counter[int] = Counter()
    for attempt in books.attempts[order_id]:
        sent, status = mined.get(attempt["tx_hash"]), attempt["status"]
        used[int(attempt["nonce"])] += status in ("mined", "reverted")
        if sent is None and status in ("mined", "reverted"):
            text = f"{attempt['tx_hash']} is {status} and in no block"
            yield Finding("contradicted", "I4", order_id, text)
        if sent is not None and (
            status != ("mined" if sent.ok else "reverted")
            or attempt["block_hash"] != sent.block_hash
        ):
            text = f"{sent.tx_hash} is {status} and in block {sent.block_hash}"
            yield Finding("contradicted", "I4", order_id, text)
        if sent is None and status == "stored":
            yield Finding("lost", "I4", order_id, f"{attempt['tx_hash']} was never sent")
        if sent is None and status == "sent":
            yield Finding("lost", "I4", order_id, f"{attempt['tx_hash']} was sent and is nowhere")
    if any(times > 1 for times in used.values()):
        yield Finding("doubled", "I4", order_id, f"nonces used twice: {dict(used)}")


# Postgres and the streams ------------------------------------------------------------------------


async def _books(database_url: str, redis_url: str, addresses: Iterable[str]) -> _Books:
    connection = await asyncpg.connect(database_url)
    # One view of all tables: the program goes on while they are read.
    view = connection.transaction(isolation="repeatable_read", readonly=True)
    try:
        await view.start()
        found = await connection.fetch(
            "SELECT * FROM orders WHERE lower(owner) = ANY($1)",
            [address.lower() for address in addresses],
        )
        rows = {str(row["id"]): row for row in found}
        ids = list(rows)

        async def of(table: str, order: str) -> dict[str, list[Any]]:
            sql = f"SELECT * FROM {table} WHERE order_id = ANY($1::uuid[]) ORDER BY {order}"
            return _by_order(ids, await connection.fetch(sql, ids))

        quotes = await connection.fetch(
            "SELECT o.id AS order_id, q.expires_at FROM orders o "
            "JOIN guarded_quotes q ON q.id = o.quote_id WHERE o.id = ANY($1::uuid[])",
            ids,
        )
        keys = await connection.fetch(
            "SELECT a.address, i.key, i.body FROM idempotency i "
            "JOIN accounts a ON a.id = i.account_id WHERE i.location LIKE '/v1/orders/%'"
        )
        accounts = {str(row["account_id"]) for row in found}
        told, holes = await _told(redis_url, accounts)
        return _Books(
            rows,
            await of("order_events", "order_id, seq"),
            await of("fills", "at"),
            await of("tx_attempts", "stored_at"),
            await of("outbox", "id"),
            await of("dead_letters", "id"),
            _by_order(ids, quotes),
            {(row["address"], row["key"]): json.loads(row["body"])["data"]["id"] for row in keys},
            told,
            holes,
        )
    finally:
        await connection.close()


def _by_order(ids: Sequence[str], rows: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {order_id: [] for order_id in ids}
    for row in rows:
        found.setdefault(str(row["order_id"]), []).append(row)
    return found


async def _told(
    redis_url: str, accounts: Iterable[str]
) -> tuple[dict[str, Counter[int]], list[str]]:
    """How often an account heard of each version of an order; accounts whose streams have holes."""
    told: dict[str, Counter[int]] = {}
    holes = []
    redis = Redis.from_url(redis_url)
    try:
        for account in accounts:
            before = None
            for entry_id, fields in await redis.xrange(f"events:{account}"):
                if before is not None and int(fields[b"prev"]) != before:
                    holes.append(account)
                before = int(entry_id.partition(b"-")[0])
                data = json.loads(fields[b"body"])["data"]
                if data.get("kind") == "order":
                    told.setdefault(data["order_id"], Counter())[data["version"]] += 1
    finally:
        await redis.aclose()
    return told, holes


# Alone --------------------------------------------------------------------------------------------


def accepted(path: Path) -> list[Answer]:
    lines = path.read_text().splitlines()
    return [Answer(**json.loads(line)) for line in lines if line]


def main() -> int:
    runtime, answers = json.loads(Path(sys.argv[1]).read_text()), accepted(Path(sys.argv[2]))
    views = {
        int(chain): chains.read(int(chain), found[0])
        for chain, found in runtime["rpc_urls"].items()
    }
    verdict = asyncio.run(check(runtime["database_url"], runtime["redis_url"], views, answers))
    print(verdict)
    return 1 if verdict.findings else 0


if __name__ == "__main__":
    sys.exit(main())
