"""``perptape run``: Redis, Postgres and the roles as children, until it is told to stop."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any, Final

from perptape import loopback_http
from perptape.child import Child
from perptape.console import Console, announce, show
from perptape.data_dir import hold_lock, open_data_dir
from perptape.embedded import EmbeddedServer
from perptape.embedded_anvil import EmbeddedAnvil
from perptape.embedded_postgres import EmbeddedPostgres
from perptape.embedded_redis import EmbeddedRedis
from perptape.errors import StartError
from perptape.layout import (
    SANDBOX_CHAINS,
    SANDBOX_PORTS,
    Layout,
    http_host,
    http_url,
    own_chains,
    sandbox_ports,
)
from perptape.leftovers import end_leftovers
from perptape.log_files import BoundedFile, ChildLog
from perptape.metrics_page import CONTENT_TYPE, metrics_page
from perptape.ports import free_ports, listeners, require_free
from perptape.process import STAND_IN_NICENESS
from perptape.roles import ROLES, Role
from perptape.runtime_file import remove_runtime_file, write_runtime_file
from perptape.service_user import ServiceUser, make_services_home, service_user
from runtime.clock import mono_ns
from runtime.settings import Settings, ignored_names

_SERVER_GRACE_S: Final = {
    "redis": 0.8,
    "postgres": 1.5,
    **{f"anvil-{chain}": 0.1 for chain in SANDBOX_CHAINS},
}
# The order of starting; its reverse is that of stopping, for everything lives on the first two.
_ORDER: Final = (*_SERVER_GRACE_S, *(role.name for role in ROLES))
_START_ATTEMPTS: Final = 3
_REFUSED: Final = 2  # a role's exit code for settings it cannot use
_POLL_S: Final = 0.02
_SLOW_START_S: Final = 15.0
_REWRITE_S: Final = 10.0
# Two signals for one Ctrl-C (from make and from the terminal) are not impatience.
_IMPATIENT_NS: Final = 300_000_000


def run_supervisor(settings: Settings) -> int:
    """Exit code. Raises StartError with a plain message where the start cannot succeed."""
    os.umask(0o022)
    data_dir = settings.data_dir.resolve()
    open_data_dir(data_dir)
    with hold_lock(data_dir, http_url(settings)):
        user = service_user()
        home = make_services_home(data_dir, user)
        end_leftovers(data_dir, home)
        remove_runtime_file(data_dir)
        if settings.http_port == settings.metrics_port:
            raise StartError(f"PERP_HTTP_PORT and PERP_METRICS_PORT are both {settings.http_port}")
        require_free(settings.http_host, settings.http_port, "PERP_HTTP_PORT")
        require_free(settings.metrics_host, settings.metrics_port, "PERP_METRICS_PORT")
        try:
            return asyncio.run(_run(settings, data_dir, home, user))
        finally:
            end_leftovers(data_dir, home)
            remove_runtime_file(data_dir)


async def _run(settings: Settings, data_dir: Path, home: Path, user: ServiceUser | None) -> int:
    return await Supervisor(settings, data_dir, home, user).run()


class Supervisor:
    def __init__(
        self, settings: Settings, data_dir: Path, home: Path, user: ServiceUser | None
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._home = home
        self._user = user
        self._console = Console(BoundedFile(data_dir / "logs" / "supervisor.log"))
        self._children: list[Child] = []
        self._layout: Layout | None = None
        self._ready = False
        # The exit code, or the exception that is a bug of ours.
        self._outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked_ns = 0
        self._hurry = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
                loop.add_signal_handler(number, self._on_signal, number)
        page = await loopback_http.serve_page(
            self._settings.metrics_host,
            self._settings.metrics_port,
            CONTENT_TYPE,
            lambda: metrics_page(self._children),
        )
        start = asyncio.create_task(self._start())
        try:
            first: set[asyncio.Future[Any]] = {start, self._outcome}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
            return await self._outcome
        finally:
            start.cancel()
            await asyncio.wait({start})
            await self._end_children()
            page.close()

    def _on_signal(self, number: int) -> None:
        if not self._asked_ns:
            self._asked_ns = mono_ns()
            self._console.say("stopping")
            self._finish(0)
        elif number == signal.SIGINT and mono_ns() - self._asked_ns > _IMPATIENT_NS:
            self._hurry.set()

    def _finish(self, exit_code: int) -> None:
        if not self._outcome.done():
            self._outcome.set_result(exit_code)

    async def _start(self) -> None:
        self._greet()
        copies = [(role, worker) for role in ROLES for worker in role.workers(self._settings)]
        chosen = [self._settings.http_port]
        chosen += [getattr(self._settings, f"sandbox_{name}_port") for name in SANDBOX_PORTS]
        chains = own_chains(self._settings)
        ports = iter(free_ports(2 + len(chains) + len(SANDBOX_PORTS) + len(copies), chosen))
        redis_url, database_url, *chain_urls = await asyncio.gather(
            self._redis_url(next(ports)),
            self._database_url(next(ports)),
            *(self._chain_url(chain, next(ports)) for chain in chains),
        )
        self._layout = Layout(
            self._settings,
            self._data_dir,
            redis_url,
            database_url,
            sandbox_ports(self._settings, [next(ports) for _ in SANDBOX_PORTS]),
            dict(zip(chains, chain_urls, strict=True)),
        )
        for role, worker in copies:
            self._start_role(self._layout, role, worker, next(ports))
        await self._until_ready()
        self._ready = True
        self._write_runtime_file()
        announce(f"ready {http_url(self._settings)}")

    def _greet(self) -> None:
        self._console.say(f"{self._settings.network} network, data and logs in {self._data_dir}")
        if self._home != self._data_dir:
            self._console.say(
                f"started by root, and {self._data_dir} is closed to others: "
                f"Redis and Postgres keep their data in {self._home}"
            )
        if names := ignored_names():
            self._console.say(f"without effect in this version: {', '.join(names)}")

    async def _redis_url(self, port: int) -> str:
        if self._settings.redis_url is not None:
            return self._settings.redis_url.get_secret_value()
        return await self._start_server(EmbeddedRedis(self._data_dir, self._home, port, self._user))

    async def _database_url(self, port: int) -> str:
        if self._settings.database_url is not None:
            return self._settings.database_url.get_secret_value()
        return await self._start_server(
            EmbeddedPostgres(self._data_dir, self._home, port, self._user)
        )

    async def _chain_url(self, chain_id: int, port: int) -> str:
        return await self._start_server(
            EmbeddedAnvil(chain_id, self._data_dir, self._home, port, self._user)
        )

    async def _start_server(self, server: EmbeddedServer) -> str:
        await server.prepare()
        child = Child(
            server.name,
            server.launch(),
            self._log(server.name, json=False),
            stop_grace_s=_SERVER_GRACE_S[server.name],
            say=self._console.say,
            started=self._write_runtime_file,
            repair=server.repair,
        )
        self._add(child)
        while not await server.answers():
            if child.restarts >= _START_ATTEMPTS:
                why = f": {child.last_line}" if child.last_line else ""
                raise StartError(f"{server.name} does not start{why}; see {child.log.path}")
            await asyncio.sleep(_POLL_S)
        return server.url

    def _start_role(self, layout: Layout, role: Role, worker: str, metrics_port: int) -> None:
        child = Child(
            role.name,
            layout.launch_role(
                role.name,
                metrics_port,
                STAND_IN_NICENESS if role.sandbox_only else 0,
                worker,
            ),
            self._log(f"{role.name}-{worker}" if worker else role.name, json=True),
            stop_grace_s=role.stop_grace_s,
            say=self._console.say,
            started=self._write_runtime_file,
            worker=worker,
            metrics_port=metrics_port,
            refusal_code=_REFUSED,
        )
        self._add(child)

    def _log(self, name: str, *, json: bool) -> ChildLog:
        return ChildLog(name, self._data_dir / "logs", self._show, json=json)

    def _show(self, level: str, text: str) -> bool:
        # While everything starts at once, that the others are not there yet is no news.
        is_news = self._ready or level != "warning"
        if is_news:
            show(text)
        return is_news

    def _add(self, child: Child) -> None:
        self._children.append(child)
        child.task.add_done_callback(lambda task: self._on_child_done(child, task))

    def _on_child_done(self, child: Child, task: asyncio.Task[None]) -> None:
        """It is not started again: we asked it to stop, it refused its settings, or a bug."""
        if child.refused:
            self._console.say(f"{child.name} refused to start: {child.last_line}")
            self._finish(_REFUSED)
        elif (error := task.exception()) is not None and not self._outcome.done():
            self._outcome.set_exception(error)

    async def _until_ready(self) -> None:
        slow = asyncio.get_running_loop().call_later(
            _SLOW_START_S, self._console.say, f"not ready yet, see {self._data_dir / 'logs'}"
        )
        try:
            while not await self._is_ready():
                await asyncio.sleep(_POLL_S)
        finally:
            slow.cancel()

    async def _is_ready(self) -> bool:
        asked = [(http_host(self._settings), self._settings.http_port, "/health/ready")]
        if self._layout is not None and self._layout.sandbox is not None:
            asked.append(("127.0.0.1", self._layout.sandbox["control"], "/faults"))
        try:
            answers = [await loopback_http.get(*place, 2.0) for place in asked]
        except (OSError, ValueError):
            return False
        # Before the last gateway listens the others get all connections, and keep them.
        all_listen = listeners(self._settings.http_port) >= self._settings.gateways
        return all_listen and all(status == 200 for status, _ in answers)

    def _write_runtime_file(self) -> None:
        """From the first ``ready`` on: it tells of addresses that answer."""
        if self._layout is None or not self._ready:
            return
        pids: dict[str, list[int]] = {"supervisor": [os.getpid()]}
        for child in self._children:
            if child.pid is not None:
                pids.setdefault(child.role, []).append(child.pid)
        try:
            write_runtime_file(self._data_dir, self._layout.runtime_content(pids))
        except OSError as error:
            self._console.say(f"runtime.json cannot be written now: {error.strerror}")
            asyncio.get_running_loop().call_later(_REWRITE_S, self._write_runtime_file)

    async def _end_children(self) -> None:
        for name in reversed(_ORDER):
            # The servers keep their short grace: what they write in it need not be recovered.
            hurry = asyncio.Event() if name in _SERVER_GRACE_S else self._hurry
            group = [child for child in self._children if child.role == name]
            await asyncio.gather(*(child.stop(hurry) for child in group))
        for child in self._children:
            child.log.close()
