"""The sockets of one process of the load: connected, read, stopped, cut, all in one thread.

A process that sleeps in ``epoll_wait`` is woken for every message, and each wake-up is paid by the
server's send. So this one looks at all sockets, reads what there is, and sleeps a fixed time.
"""

import os
import select
import socket
import time
from array import array
from collections import deque
from typing import Final

from benchmarks.load.link import NEVER, Link, LinkEnd, Server, Stage, reason_of, subscription
from benchmarks.load.plan import Counts, LoadPlan
from benchmarks.load.scanner import NOTHING, Chunk, ScanError, Scanner

READ_BYTES: Final = 64 * 1024
SLOW_RECEIVE_BUFFER: Final = 16 * 1024
"""Of a slow reader, so that the server notices soon."""
ANSWER_WITHIN_NS: Final = 10_000_000_000
"""For a handshake up to the answer to ``subscribe``."""
CHECK_NS: Final = 20_000_000
SECOND_NS: Final = 1_000_000_000


class Swarm:
    """Sockets ``indices`` of the plan. ``turn`` is one look at all of them. Times of samples are
    seconds since ``start_ns`` of the monotonic clock."""

    def __init__(
        self, plan: LoadPlan, server: Server, indices: range, ramp_per_s: float, start_ns: int
    ) -> None:
        self.counts = Counts()
        self.up = 0
        self.rows: list[tuple[float, int, int, int, float, float]] = []
        self.sampled_at_s = array("d")
        self.published_us = array("q")
        self.received_us = array("q")
        self.connect_ms = array("d")
        self.recovery_ms = array("d")
        self.caught_up_ms = array("d")
        self.storm_ended_ns = 0
        self._plan = plan
        self._server = server
        self._ramp_per_s = ramp_per_s
        self._start_ns = start_ns
        self._epoll = select.epoll()
        self._scanner = Scanner()
        self._links = [self._link(index) for index in indices]
        self._by_descriptor: dict[int, Link] = {}
        self._new = deque(self._links)
        self._due: deque[Link] = deque()
        self._later: deque[tuple[int, Link]] = deque()
        self._shaking_hands: dict[Link, int] = {}
        self._stopped: list[Link] = []
        self._storm: set[Link] | None = None
        self._until_sample = plan.sample_every
        self._check_ns = 0
        self._row_ns = start_ns
        self._looked_ns = 0
        self._gap_ns = 0

    def _link(self, index: int) -> Link:
        plan = self._plan
        rooms = plan.rooms_of(index)
        subscribe = subscription(rooms, plan.rate)
        return Link(rooms, subscribe, plan.is_slow(index), self.counts, self._caught_up)

    @property
    def all_up(self) -> bool:
        return self.up == len(self._links)

    @property
    def storm_pending(self) -> bool:
        """Sockets that were cut are not back."""
        return bool(self._storm)

    def turn(self, now_ns: int) -> None:
        self._gap_ns = max(self._gap_ns, now_ns - self._looked_ns if self._looked_ns else 0)
        self._looked_ns = now_ns
        self._connect(now_ns)
        self._read(now_ns)
        if now_ns >= self._check_ns:
            self._check_ns = now_ns + CHECK_NS
            self._look_at_deadlines(now_ns)
        if now_ns >= self._row_ns:
            self.note(now_ns)

    def note(self, now_ns: int) -> None:
        """A row of the timeline."""
        counts = self.counts
        self.rows.append(
            (
                (now_ns - self._start_ns) / SECOND_NS,
                self.up,
                counts.deliveries,
                counts.lost.total(),
                time.process_time(),
                self._gap_ns / 1e6,
            )
        )
        self._gap_ns = 0
        self._row_ns += SECOND_NS * (1 + (now_ns - self._row_ns) // SECOND_NS)

    def newest(self) -> dict[str, tuple[int, int]]:
        """Of each room the lowest and the highest sequence that a subscribed socket has."""
        found: dict[str, tuple[int, int]] = {}
        for link in self._links:
            for room, seq in link.last.items():
                low, high = found.get(room, (seq, seq))
                found[room] = min(low, seq), max(high, seq)
        return found

    # What the plan does to the sockets

    def stop_slow(self) -> None:
        for link in self._links:
            if link.slow and link.stage is Stage.SUBSCRIBED:
                self._epoll.unregister(link.socket)
                self._stopped.append(link)

    def resume_slow(self) -> None:
        now_us = time.time_ns() // 1000
        for link in self._stopped:
            link.resumed_us = now_us
            self._epoll.register(link.socket, select.EPOLLIN)
        self._stopped.clear()

    def cut_all(self, now_ns: int) -> None:
        """What was received and not read makes it a reset, as when a machine loses its network."""
        self._storm = {link for link in self._links if link.stage is Stage.SUBSCRIBED}
        for link in self._storm:
            self._drop(link)
            link.lost_ns = now_ns
            self._due.append(link)
        self.counts.cut += len(self._storm)

    def close(self) -> None:
        for link in list(self._by_descriptor.values()):
            self._drop(link)
        self._epoll.close()

    # Connecting

    def _connect(self, now_ns: int) -> None:
        begun = (now_ns - self._start_ns) * self._ramp_per_s / SECOND_NS
        while self._new and len(self._links) - len(self._new) < begun:
            self._due.append(self._new.popleft())
        while self._later and self._later[0][0] <= now_ns:
            self._due.append(self._later.popleft()[1])
        while self._due and len(self._shaking_hands) < self._plan.at_once:
            self._open(self._due.popleft(), now_ns)

    def _open(self, link: Link, now_ns: int) -> None:
        self.counts.connects += 1
        self._shaking_hands[link] = now_ns
        connection = socket.socket(self._server.family)
        connection.setblocking(False)
        if link.slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_RECEIVE_BUFFER)
        link.opened(connection, now_ns)
        self._by_descriptor[connection.fileno()] = link
        try:
            connection.connect(self._server.address)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(link, reason_of(error))
            return
        self._epoll.register(connection, select.EPOLLOUT)

    def _advance(self, link: Link) -> None:
        """A socket that has not subscribed yet has something to say. Raises LinkEnd."""
        if link.stage is Stage.CONNECTING:
            error = link.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise LinkEnd(reason_of(OSError(error, os.strerror(error))))
            link.stage = Stage.UPGRADING
            link.send(self._server.upgrade)
            self._epoll.modify(link.socket, select.EPOLLIN)
            return
        try:
            data = link.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise LinkEnd(reason_of(error)) from None
        if not data:
            raise LinkEnd("ended by the server")
        self.counts.received_bytes += len(data)
        self.counts.reads += 1
        if link.stage is Stage.UPGRADING:
            first = link.upgraded(data)
            if first is None:
                return
            data = first
        chunk = self._scanner.read(link.rest + data)
        link.rest = chunk.rest
        self._take_in_order(link, chunk)

    def _subscribed(self, link: Link) -> None:
        now_ns = time.monotonic_ns()
        self.up += 1
        del self._shaking_hands[link]
        if link.lost_ns:
            self.recovery_ms.append((now_ns - link.lost_ns) / 1e6)
            link.lost_ns = 0
        else:
            self.connect_ms.append((now_ns - link.began_ns) / 1e6)
        if self._storm:
            self._storm.discard(link)
            if not self._storm:
                self.storm_ended_ns = now_ns

    # Reading

    def _read(self, now_ns: int) -> None:
        """Every line of the loop counts. As a rule the next socket was sent the same bytes as
        the one before, and to compare them takes less time than to look them up."""
        links, scan, subscribed = self._by_descriptor, self._scanner.read, Stage.SUBSCRIBED
        reads = received_bytes = deliveries = others = size = 0
        same, chunk = b"", NOTHING
        for descriptor, _ in self._epoll.poll(0, len(self._links) + 1):
            link = links[descriptor]
            try:
                if link.stage is not subscribed:
                    self._advance(link)
                    continue
                data = link.recv(READ_BYTES)
                if not data:
                    raise LinkEnd("ended by the server")
                if link.rest:
                    data = link.rest + data
                if data != same:
                    same, chunk, size = data, scan(data), len(data)
                reads += 1
                received_bytes += size - len(link.rest)
                if not chunk.plain or link.rest or link.resumed_us:
                    link.rest = chunk.rest
                    self._take_in_order(link, chunk)
                    continue
                others += chunk.others
                deliveries += len(chunk.messages)
                last, timed = link.last, not link.slow
                for room, lowest, highest in chunk.spans:
                    if last.get(room, NEVER) < lowest:
                        last[room] = highest
                    else:
                        # A repetition is as old as what it repeats.
                        timed = False
                        link.doubt(room, chunk)
                self._until_sample -= 1
                if timed and self._until_sample <= 0:
                    self._sample(chunk, now_ns)
            except LinkEnd as end:
                self._end(link, end.reason)
            except ScanError as error:
                self._end(link, str(error))
            except BlockingIOError:
                continue
            except OSError as error:
                self._end(link, reason_of(error))
        counts = self.counts
        counts.reads += reads
        counts.received_bytes += received_bytes
        counts.deliveries += deliveries
        counts.other_events += others

    def _sample(self, chunk: Chunk, now_ns: int) -> None:
        now_us = time.time_ns() // 1000
        at_s = (now_ns - self._start_ns) / SECOND_NS
        self._until_sample = self._plan.sample_every
        for update in chunk.updates:
            self.sampled_at_s.append(at_s)
            self.published_us.append(now_us - update.published_us)
            self.received_us.append(now_us - update.received_us)

    def _take_in_order(self, link: Link, chunk: Chunk) -> None:
        """Raises LinkEnd."""
        self.counts.other_events += chunk.others
        for message in chunk.messages:
            before = link.stage
            link.take(message)
            if link.stage is not before:
                self._subscribed(link)

    def _caught_up(self, resumed_us: int) -> None:
        self.caught_up_ms.append((time.time_ns() // 1000 - resumed_us) / 1000)

    # Ending

    def _look_at_deadlines(self, now_ns: int) -> None:
        while self._shaking_hands:
            link, began_ns = next(iter(self._shaking_hands.items()))
            if now_ns - began_ns < ANSWER_WITHIN_NS:
                return
            self.counts.unanswered += link.stage is Stage.JOINING
            self._end(link, f"no answer while {link.stage.name.lower()}")

    def _end(self, link: Link, reason: str) -> None:
        """Not by us."""
        now_ns = time.monotonic_ns()
        if link.stage is Stage.SUBSCRIBED:
            self.counts.lost[reason] += 1
            link.lost_ns = now_ns
        else:
            self.counts.refused[reason] += 1
            del self._shaking_hands[link]
        self._drop(link)
        if self._plan.reconnect_s is not None:
            self._later.append((now_ns + int(self._plan.reconnect_s * 1e9), link))

    def _drop(self, link: Link) -> None:
        self.up -= link.stage is Stage.SUBSCRIBED
        del self._by_descriptor[link.socket.fileno()]
        link.socket.close()
        link.forget()
