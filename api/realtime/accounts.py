"""Whose socket it is: authentication, the room ``account``, and what a client missed in it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.auth.identity import AuthError, Identity
from api.auth.service import Auth
from api.auth.sessions import Memory
from api.auth.tokens import LEEWAY_S
from api.problems import Unavailable
from api.realtime import frames, packets
from api.realtime.account_reader import AccountReader
from api.realtime.account_room import WAIT_S, AccountRoom, Follower
from api.realtime.delivery import STREAM_BOUND
from api.realtime.hub import Hub
from api.realtime.session import Session
from domain.errors import InputError
from runtime import events
from runtime.clock import mono_ns, wall_us
from runtime.events import Event, Page
from runtime.redis import CALL_TIMEOUT_S
from runtime.tasks import end_all

ACCOUNTS_BOUND: Final = 5_000
"""Accounts with sockets at one gateway."""
CHUNK: Final = STREAM_BOUND // 2
"""Missed events given at once."""
CATCH_UP_S: Final = 30.0
"""A client that takes longer to be told what it missed is cut off."""
STEP_S: Final = 0.02
WATCH_S: Final = 0.25
ENDED_S: Final = 60.0
"""How long an ended session is remembered, for sockets that are authenticating with it."""

_EXPIRED: Final = packets.event(
    "unauthenticated",
    b'{"code":"TOKEN_EXPIRED","message":"authenticate with a new token, then resume"}',
)


@dataclass(frozen=True, slots=True)
class _Missed:
    """What a session is to be told. ``cursor``: how far it was; ``until``: a seq, or None for all
    that the room has."""

    session: Session
    room: AccountRoom
    follower: Follower
    cursor: Follower
    until: int | None

    @property
    def is_wanted(self) -> bool:
        """Whether the session is in the room still."""
        return self.room.followers.get(self.session) is self.follower

    @property
    def is_told(self) -> bool:
        end = self.room.position if self.until is None else self.until
        return self.cursor.position is not None and end is not None and self.cursor.position >= end

    def is_beyond(self, seq: int) -> bool:
        return self.until is not None and seq > self.until


class Accounts:
    def __init__(self, auth: Auth, redis: Redis, redis_url: str, hub: Hub) -> None:
        self._auth = auth
        self._redis = redis
        self._hub = hub
        self._members: dict[Session, Identity] = {}
        self._rooms: dict[str, AccountRoom] = {}
        self._ended: Memory[str, bool] = Memory("ended", ENDED_S)
        self._reader = AccountReader(redis_url, self._rooms, self._end)
        self._tasks: set[asyncio.Task[None]] = set()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """To be run for ever."""
        return [self._reader.run(), self._watch()]

    async def close(self) -> None:
        await end_all(self._tasks)
        await self._reader.close()

    # Who it is

    async def authenticate(self, session: Session, token: str) -> None:
        """Enters the room of the account the token is of. With a newer token of the same account
        nothing else changes.

        Raises TokenError, AuthError, Unavailable.
        """
        identity = await self._auth.identify(token)
        if self._ended.get(identity.claims.session_id, mono_ns()):
            raise AuthError("SESSION_ENDED", "the session of this token has ended")
        if session.closed:
            return
        known = self._members.get(session)
        if known is not None and known.account.id != identity.account.id:
            self.forget(session)
        self._enter(session, identity)

    def leave(self, session: Session) -> None:
        """The room; the session stays authenticated."""
        identity = self._members.get(session)
        room = self._rooms.get(identity.account.id) if identity is not None else None
        if room is not None:
            session.leave(room)

    def forget(self, session: Session) -> None:
        """Who the session is."""
        self.leave(session)
        self._members.pop(session, None)

    def _enter(self, session: Session, identity: Identity) -> AccountRoom:
        name = identity.account.id
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= ACCOUNTS_BOUND:
                raise Unavailable("BUSY", "too many accounts at this gateway: connect again")
            room = self._rooms[name] = AccountRoom(name)
        self._members[session] = identity
        if session not in room.followers:
            self._hub.join_lane(session, room, room)
        return room

    def _following(self, session: Session) -> tuple[AccountRoom, Follower]:
        identity = self._members.get(session)
        if identity is None:
            raise InputError("UNAUTHENTICATED", "authenticate first")
        room = self._enter(session, identity)
        return room, room.followers[session]

    # What it is told

    async def subscribe(self, session: Session) -> bytes:
        """A snapshot, behind which the session is told everything.

        Raises InputError ``UNAUTHENTICATED``, Unavailable. Nothing may be awaited from here until
        the answer is written; so for ``resume``.
        """
        room, follower = self._following(session)
        if room.position is None:
            room.place((await self._page(room, 0, 1)).newest)
        return room.snapshot(_begun(room, follower))

    async def resume(self, session: Session, last_seq: int) -> bytes | None:
        """Everything after ``last_seq`` is told, once and behind the answer; or, when not all of it
        is there, a snapshot, and everything behind that.

        Raises as ``subscribe``.
        """
        room, follower = self._following(session)
        page = await self._page(room, last_seq, CHUNK)
        room.place(page.newest)
        if follower.start is not None and last_seq >= follower.start:
            return None
        if (page.events[0].prev if page.events else page.newest) != last_seq:
            return room.snapshot(_begun(room, follower), gap=True)
        if follower.start is None:
            follower.begin(last_seq)
            self._tell_missed(_Missed(session, room, follower, follower, None), page.events)
        else:
            # It asks late: what came since ``start`` it has.
            until, follower.start = follower.start, last_seq
            missed = _Missed(session, room, follower, Follower(last_seq), until)
            self._tell_missed(missed, page.events)
        return None

    def _tell_missed(self, missed: _Missed, first: list[Event]) -> None:
        missed.cursor.catches_up = True
        task = asyncio.create_task(self._catch_up(missed, first))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _catch_up(self, missed: _Missed, first: list[Event]) -> None:
        session, room, cursor = missed.session, missed.room, missed.cursor
        found = first
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while True:
                    while session.backlog > STREAM_BOUND - CHUNK:
                        await asyncio.sleep(STEP_S)
                    for event in found:
                        if missed.is_wanted and not missed.is_beyond(event.seq):
                            room.tell(session, cursor, event)
                    if missed.is_told or not missed.is_wanted:
                        return
                    found = await self._more(room, cursor)
                    if not found:
                        room.tell_lost(session, cursor)
                        return
        except TimeoutError:
            if missed.is_wanted:
                session.cut_off()
        finally:
            cursor.catches_up = False

    async def _more(self, room: AccountRoom, cursor: Follower) -> list[Event]:
        while True:
            try:
                return (await self._page(room, cursor.position or 0, CHUNK)).events
            except Unavailable:
                await asyncio.sleep(STEP_S)

    async def _page(self, room: AccountRoom, seq: int, count: int) -> Page:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await events.read_after(self._redis, room.account_id, seq, count)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("REDIS_UNAVAILABLE", "ask again in a moment") from error

    # When it ends

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now_s = wall_us() // 1_000_000
            for session, identity in list(self._members.items()):
                if session.closed:
                    del self._members[session]
                elif now_s >= identity.claims.expires_at_s + LEEWAY_S:
                    self.forget(session)
                    session.send(_EXPIRED)
            before_ns = mono_ns() - int(WAIT_S * 1e9)
            for name, room in list(self._rooms.items()):
                if room.followers:
                    room.release(before_ns)
                else:
                    del self._rooms[name]

    def _end(self, session_id: str) -> None:
        """The session of tokens has ended."""
        self._ended.put(session_id, True, mono_ns())
        for session, identity in list(self._members.items()):
            if identity.claims.session_id == session_id:
                session.close("server disconnect", frames.SESSION_ENDED, "SESSION_ENDED")


def _begun(room: AccountRoom, follower: Follower) -> int:
    """The position of the follower, that of the room if it has none."""
    if follower.position is None:
        assert room.position is not None
        follower.begin(room.position)
    assert follower.position is not None
    return follower.position
