"""The gateway role: wiring, start and stop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import uvicorn

from api.app import build_app, build_inner_app
from api.auth.keys import key_file, parse_keys
from api.auth.links import Links
from api.auth.service import Auth, Config
from api.context import Context
from api.executor_health import ExecutorHealth
from api.health import Health
from api.history import PriceHistory
from api.http1 import Http1
from api.ladders import LadderPricer
from api.limits import RATES, Policy, RateLimiter, Rates
from api.orders.desk import OrderDesk
from api.orders.flattening import FlattenDesk
from api.peers import DIRECT, Peers
from api.quotes import QuoteReader
from api.realtime.accounts import Accounts
from api.realtime.engine import LIMITS, Engine, Limits
from api.realtime.hub import Hub
from api.realtime.limits import QUOTAS, Quotas
from api.realtime.passing import InnerWebSocket, OpenPolling, OpenWebSocket, Passing
from api.realtime.polling import PollingEndpoint
from api.realtime.siblings import Siblings
from api.realtime.socketio_server import SocketServer
from api.realtime.subscriptions import Subscriptions
from api.realtime.websocket import SEND_BUFFER
from api.routing.desk import RoutingDesk
from api.routing.needs import Spenders
from api.routing.positions import PositionReader
from api.routing.router import Router
from api.routing.screens import Screens
from api.routing.wallets import WalletReader
from api.rpc_health import RpcHealth
from api.tape.board import Board
from api.tape.reader import TapeReader
from connectors import desks, registry
from connectors.base.positions import PositionBook
from connectors.base.screens import Screen
from db.pool import Database
from domain.errors import InputError
from domain.ids import VenueId
from runtime import failpoints
from runtime.dialer import Dialer, dialer_of
from runtime.logs import get_logger
from runtime.redis import guarded_client
from runtime.sealing import Seal, seal_of
from runtime.settings import Settings, SettingsError
from runtime.tasks import end_all

BACKLOG: Final = 2048
HTTP_CONNECTIONS: Final = 4096
IDLE_S: Final = 10
GOODBYE_S: Final = 1.0
STOP_S: Final = 2
SANDBOX_CHAINS: Final = desks.traded_chains(Settings.model_construct())
AUTH_OFF: Final = Config(
    keys=None, public_url="http://127.0.0.1", rpc_urls={}, dialer=Dialer(allow_private=False)
)
_NO_SPENDERS: Final[Spenders] = {}
_KEY_FILE: Final = "auth-keys"
_REACHED_BY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}

_log = get_logger(__name__)


class HttpServer(uvicorn.Server):
    """uvicorn inside our loop: signals are the role's, and silent connections do not stay."""

    def __init__(
        self, config: uvicorn.Config, engine: Engine, passing: Passing | None = None
    ) -> None:
        super().__init__(config)
        self._engine = engine
        self._passing = passing
        self._quiet: dict[Any, Any] = {}

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % (IDLE_S * 10) == 0:
            self.drop_silent()
        return await super().on_tick(counter)

    def drop_silent(self) -> None:
        """uvicorn waits without limit for a request to become complete."""
        connections: set[Any] = self.server_state.connections
        quiet = {
            connection: connection.cycle
            for connection in connections
            if connection.cycle is None or connection.cycle.response_complete
        }
        for connection, cycle in quiet.items():
            if self._quiet.get(connection, self) is cycle:
                connection.transport.close()
        self._quiet = quiet

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._engine.close_all(GOODBYE_S)
        if self._passing is not None:
            self._passing.abort_all()
        await super().shutdown(sockets)


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """``shared``: several gateways listen on the same port. Connections inherit options."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    # asyncio does not see that a socket made like this one is TCP.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Gateway:
    """Everything of one process."""

    def __init__(
        self,
        redis_url: str,
        database_url: str,
        limits: Limits = LIMITS,
        siblings: Siblings | None = None,
        peers: Peers = DIRECT,
        auth: Config = AUTH_OFF,
        rates: Rates = RATES,
        seal: Seal | None = None,
        chains: Mapping[VenueId, Sequence[int]] = SANDBOX_CHAINS,
        screens: Mapping[VenueId, Screen] = MappingProxyType({}),
        spenders: Spenders = _NO_SPENDERS,
        books: Sequence[PositionBook] = (),
        service_fee_bps: Decimal = Decimal(0),
    ) -> None:
        self._redis = guarded_client(redis_url)
        self._database = Database(database_url)
        self._board = Board()
        self._hub = Hub()
        self._reader = TapeReader(redis_url, self._board, lambda room: self._hub.mark(room.name))
        self._siblings = siblings or Siblings()
        self._peers = peers
        self._server = SocketServer(limits, worker=self._siblings.name)
        self._limits = RateLimiter(self._redis, rates, self._siblings.count)
        self._auth = Auth(self._redis, self._database, auth)
        self._links = Links(self._redis, self._database, self._auth)
        self._accounts = Accounts(self._auth, self._redis, redis_url, self._hub)
        self._subscriptions = Subscriptions(self._server, self._hub, self._board, self._accounts)
        self._quotes = QuoteReader(self._redis)
        self._orders = OrderDesk(
            self._database,
            self._quotes,
            seal,
            chains,
            self._board.require_market,
        )
        self._screens = Screens(screens)
        self._wallets, self._spenders = WalletReader(auth.rpc_urls, auth.dialer), spenders
        self._service_fee_bps = service_fee_bps
        self._positions = PositionReader(self._wallets.nodes, books)
        self._rpc_health = RpcHealth(auth.rpc_urls, auth.dialer)
        self._health = Health(self._redis, self._database, lambda: self._reader.beat_age_s)

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serves until ``stop`` is set, then says goodbye. Raises SettingsError."""
        engine = self._server.eio
        doors = self._doors(engine, listener)
        await self._reader.prime()
        loops = [
            asyncio.create_task(loop)
            for loop in (
                *self._reader.loops(),
                *self._health.loops(),
                self._hub.run(),
                self._subscriptions.run(),
                *self._accounts.loops(),
                engine.run(),
            )
        ]
        serving = [asyncio.create_task(http.serve([each])) for http, each in doors]
        stopping = asyncio.create_task(stop.wait())
        try:
            ends = {*loops, *serving, stopping}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._health.stopping = True
            for http, _ in doors:
                http.should_exit = True
            await asyncio.gather(*serving)
            for task in done:
                # What ends before ``stop`` is set has crashed.
                task.result()
        finally:
            await end_all([*loops, stopping, *serving])
            await self._orders.close()
            await self._screens.close()
            await self._accounts.close()
            await self._auth.close()
            await self._rpc_health.close()
            await self._reader.close()
            await self._wallets.close()
            await self._redis.aclose()
            await self._database.close()

    def _doors(
        self, engine: Engine, listener: socket.socket
    ) -> list[tuple[HttpServer, socket.socket]]:
        """The public port and, where there are other gateways, the socket for what they pass on."""
        quotes, history = self._quotes, PriceHistory(self._database)
        ladders = LadderPricer(registry.ECONOMICS, self._service_fee_bps)
        router = Router(registry.ECONOMICS, desks.ROUTES, self._service_fee_bps)
        routing = RoutingDesk(
            self._board,
            quotes,
            router,
            self._database,
            self._screens,
            self._wallets,
            self._spenders,
            self._positions,
        )
        context = Context(
            self._board,
            quotes,
            ladders,
            self._health,
            self._auth,
            self._links,
            history,
            self._limits,
            self._rpc_health,
            routing,
            self._orders,
            FlattenDesk(self._database, self._orders, routing),
            ExecutorHealth(self._redis, self._database),
        )
        passing = Passing(self._siblings, engine.limits.max_sessions)
        app = build_app(
            context,
            OpenPolling(engine, passing),
            self._peers,
            is_secure=self._auth.config.is_secure,
        )
        sockets = OpenWebSocket.bound_to(engine, passing=passing, peers=self._peers)
        doors = [(HttpServer(http_config(app, sockets), engine, passing), listener)]
        inner = self._siblings.listen()
        if inner is not None:
            config = http_config(
                build_inner_app(PollingEndpoint(engine)), InnerWebSocket.bound_to(engine)
            )
            doors.append((HttpServer(config, engine), inner))
        return doors


def http_config(app: Any, sockets: type[asyncio.Protocol]) -> uvicorn.Config:
    """``sockets``: what becomes of connections that ask to be WebSockets."""
    return uvicorn.Config(
        app,
        http=Http1,
        ws=sockets,
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=HTTP_CONNECTIONS,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=STOP_S,
    )


def auth_config(settings: Settings) -> Config:
    """Raises SettingsError for keys that cannot be read, and OSError."""
    host = _REACHED_BY.get(settings.http_host, settings.http_host)
    shown = f"[{host}]" if ":" in host else host
    url = settings.public_url or f"http://{shown}:{settings.http_port}"
    text = None
    if settings.auth_keys is not None:
        text = settings.auth_keys.get_secret_value()
    elif settings.network == "sandbox":
        text = key_file(settings.data_dir / _KEY_FILE)
    try:
        keys = None if text is None else parse_keys(text)
    except InputError as error:
        raise SettingsError("BAD_SETTING", f"PERP_AUTH_KEYS: {error.message}") from None
    return Config(keys, url, settings.rpc_urls, dialer_of(settings))


def rates_of(settings: Settings) -> Rates:
    logins = settings.rate_logins_per_minute
    return Rates(
        Policy("anonymous", settings.rate_anonymous_per_s, settings.rate_anonymous_burst),
        Policy("account", settings.rate_account_per_s, settings.rate_account_burst),
        Policy("login", logins / 60, logins, closed=True),
        Policy("orders", settings.rate_orders_per_s, settings.rate_orders_burst),
    ).scaled(settings.rates_scale)


def quotas_of(settings: Settings) -> Quotas:
    sockets, rooms = settings.rate_address_sockets, settings.rate_socket_rooms
    quotas = replace(
        QUOTAS, address_sockets=sockets, socket_rooms=rooms, address_rooms=sockets * rooms
    )
    return quotas.scaled(settings.rates_scale)


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Runs the gateway until ``stop``. Raises SettingsError for what no restart can mend."""
    failpoints.arm(settings.failpoint, settings.data_dir)
    gateway = Gateway(
        settings.require_redis_url(),
        settings.require_database_url(),
        replace(LIMITS, quotas=quotas_of(settings)),
        Siblings(settings.host_name, settings.worker, settings.gateways, settings.data_dir),
        Peers(settings.trusted_networks),
        auth_config(settings),
        rates_of(settings),
        seal_of(settings.data_dir, settings.sealing_key),
        desks.traded_chains(settings),
        desks.screens(settings),
        desks.spenders(settings),
        desks.position_books(settings),
        settings.service_fee_bps,
    )
    listener = listen(settings.http_host, settings.http_port, shared=settings.gateways > 1)
    _log.info("gateway_listens", host=settings.http_host, port=settings.http_port)
    await gateway.run(listener, stop)
