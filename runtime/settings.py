"""Settings of every role, from the environment only. Read in ``service.py`` and ``perptape`` and
passed on from there. An unknown ``PERP_*`` name stops the start: a typo is no default."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import InputError

_PREFIX: Final = "PERP_"
_PUBLIC_URL: Final = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.ASCII)
_MARKET: Final = re.compile(r"[A-Z0-9.]+-[A-Z0-9]+")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_FAILPOINT: Final = re.compile(r"P([1-9]|1[0-2]):(kill|stop)(:[1-9]\d{0,3})?")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")

# Names the published contract gives to parts that are not in this version. They are accepted, so
# that one environment file serves every version, and the start says that they have no effect yet.
NOT_IN_THIS_VERSION: Final = re.compile(
    r"PERP_(SIGNER_KEK"
    r"|DYDX_NODE_RPC_URLS|DYDX_NODE_REST_URLS"
    r"|GAINS_GLOBAL_URL)"
)

LIVE_NODES: Final = 2

# Families of names: the part in brackets is the key of the field's mapping.
_FAMILIES: Final = {
    "rpc_urls": re.compile(r"PERP_RPC_URLS_(\d+)"),
    "sandbox_chain_urls": re.compile(r"PERP_SANDBOX_CHAIN_URL_(\d+)"),
    "gains_backend_urls": re.compile(r"PERP_GAINS_BACKEND_URL_(\d+)"),
    "gains_backend_ws_urls": re.compile(r"PERP_GAINS_BACKEND_WS_URL_(\d+)"),
    "gains_diamond_addresses": re.compile(r"PERP_GAINS_DIAMOND_ADDRESS_(\d+)"),
    "finality_depths": re.compile(r"PERP_FINALITY_DEPTH_(\d+)"),
    "gmx_addresses": re.compile(
        r"PERP_GMX_(EXCHANGE_ROUTER|ROUTER|ORDER_VAULT|READER|DATA_STORE|EVENT_EMITTER"
        r"|ORDER_HANDLER|ROLE_STORE|REFERRAL_STORAGE|SIMULATION_ROUTER|SUBACCOUNT_ROUTER)_ADDRESS"
    ),
}


class SettingsError(InputError):
    """The environment cannot be used; the message says which name and why."""


class Settings(BaseSettings):
    """One field a variable: ``PERP_HTTP_PORT`` is ``http_port``. Units last."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    network: Literal["sandbox", "live", "testnet"] = "sandbox"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=1, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=9464, ge=1, le=65535)
    data_dir: Path = Path(".data")
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    markets: str = "all"
    venues: str = "all"
    public_url: str | None = None
    auth_keys: SecretStr | None = None
    sealing_key: SecretStr | None = None
    trading: Literal["on", "off"] = "off"
    gateways: int = Field(default=1, ge=1, le=64)
    worker: int = Field(default=1, ge=1, le=64)
    host_name: str = "a"
    trusted_proxies: str = ""
    rate_limit_factor: float | None = Field(default=None, gt=0, le=1e6, allow_inf_nan=False)
    rate_anonymous_per_s: float = Field(default=20.0, gt=0, le=1e6, allow_inf_nan=False)
    rate_anonymous_burst: int = Field(default=60, ge=1, le=1_000_000)
    rate_account_per_s: float = Field(default=50.0, gt=0, le=1e6, allow_inf_nan=False)
    rate_account_burst: int = Field(default=150, ge=1, le=1_000_000)
    rate_logins_per_minute: int = Field(default=5, ge=1, le=1_000_000)
    rate_orders_per_s: float = Field(default=10.0, gt=0, le=1e6, allow_inf_nan=False)
    rate_orders_burst: int = Field(default=20, ge=1, le=1_000_000)
    rate_address_sockets: int = Field(default=20, ge=1, le=1_000_000)
    rate_socket_rooms: int = Field(default=200, ge=1, le=100_000)
    service_fee_bps: Decimal = Field(default=Decimal(0), ge=0, le=100, decimal_places=4)
    allow_private_urls: bool | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    dydx_ws_url: str | None = None
    dydx_http_url: str | None = None
    dydx_chain_id: str | None = None
    gmx_keeper_urls: str = ""
    gmx_api_urls: str = ""
    gmx_version: Literal["v2.2b", "v2.2c"] | None = None
    gmx_addresses: Mapping[str, str] = {}
    gains_pricing_ws_url: str | None = None
    gains_pricing_http_url: str | None = None
    gains_backend_urls: Mapping[int, str] = {}
    gains_backend_ws_urls: Mapping[int, str] = {}
    gains_diamond_addresses: Mapping[int, str] = {}
    rpc_urls: Mapping[int, str] = {}
    finality_depths: Mapping[int, int] = {}
    failpoint: str | None = None
    history_tick_days: int = Field(default=2, ge=1, le=3650)
    history_minute_days: int = Field(default=30, ge=2, le=3650)
    history_candle_days: int = Field(default=730, ge=8, le=36500)
    sandbox_control_port: int = Field(default=8100, ge=1, le=65535)
    sandbox_dydx_port: int = Field(default=8101, ge=1, le=65535)
    sandbox_gmx_port: int = Field(default=8102, ge=1, le=65535)
    sandbox_gains_port: int = Field(default=8103, ge=1, le=65535)
    sandbox_chain_urls: Mapping[int, str] = {}
    sandbox_seed: int = 1
    sandbox_rate: float = Field(default=1.0, gt=0, le=100)

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("markets")
    @classmethod
    def _are_markets(cls, value: str) -> str:
        for name in sorted(_comma_list(value) or ()):
            if not _MARKET.fullmatch(name):
                raise ValueError(f"{name} is no market like BTC-USD")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is not None and not _PUBLIC_URL.fullmatch(value):
            raise ValueError("expected http(s)://host or http(s)://host:port, nothing behind it")
        return value

    @field_validator("host_name")
    @classmethod
    def _is_short(cls, value: str) -> str:
        if not _HOST_NAME.fullmatch(value):
            raise ValueError("1 to 16 letters, digits, - and _ expected")
        return value

    @field_validator("gains_diamond_addresses")
    @classmethod
    def _are_addresses(cls, value: Mapping[int, str]) -> Mapping[int, str]:
        for address in value.values():
            if not _ADDRESS.fullmatch(address):
                raise ValueError("0x and 40 hexadecimal digits expected")
        return value

    @field_validator("finality_depths")
    @classmethod
    def _are_depths(cls, value: Mapping[int, int]) -> Mapping[int, int]:
        if any(not 1 <= depth <= 10_000 for depth in value.values()):
            raise ValueError("1 to 10000 blocks expected")
        return value

    @field_validator("failpoint")
    @classmethod
    def _is_failpoint(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and not _FAILPOINT.fullmatch(value):
            raise ValueError("P1 to P12 and :kill or :stop expected, as P7:kill or P7:kill:3")
        if value is not None and info.data.get("network") != "sandbox":
            raise ValueError("only the sandbox has failpoints")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @property
    def private_urls_allowed(self) -> bool:
        if self.allow_private_urls is None:
            return self.network == "sandbox"
        return self.allow_private_urls

    @property
    def rates_scale(self) -> float:
        """What every rate limit is multiplied by. The sandbox is for tests and loads."""
        if self.rate_limit_factor is None:
            return 100.0 if self.network == "sandbox" else 1.0
        return self.rate_limit_factor

    def trades_on(self, chain_id: int) -> bool:
        """Whether orders are made there. With real money only when that is said, and where there
        are two nodes: what ends an order is believed when two agree."""
        if self.network != "live":
            return True
        urls = comma_urls(self.rpc_urls.get(chain_id, ""))
        nodes = [url for url in urls if url.startswith(("http://", "https://"))]
        return self.trading == "on" and len(nodes) >= LIVE_NODES

    @property
    def market_filter(self) -> frozenset[str] | None:
        """Canonical markets to run, None for all."""
        return _comma_list(self.markets)

    @property
    def venue_filter(self) -> frozenset[str] | None:
        return _comma_list(self.venues)

    @property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Proxies whose word is taken for the address of a client."""
        return _networks(self.trusted_proxies)

    def outgoing_urls(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Variable, URL and schemes of all that is configured to be connected to. What a field
        leaves out is ours: constants of the connectors."""
        http, ws, both = ("https",), ("wss",), ("https", "wss")
        for name, url, schemes in (
            ("PERP_DYDX_WS_URL", self.dydx_ws_url, ws),
            ("PERP_DYDX_HTTP_URL", self.dydx_http_url, http),
            ("PERP_GAINS_PRICING_WS_URL", self.gains_pricing_ws_url, ws),
            ("PERP_GAINS_PRICING_HTTP_URL", self.gains_pricing_http_url, http),
        ):
            if url:
                yield name, url, schemes
        for name, urls in (
            ("PERP_GMX_KEEPER_URLS", self.gmx_keeper_urls),
            ("PERP_GMX_API_URLS", self.gmx_api_urls),
        ):
            yield from ((name, url, http) for url in comma_urls(urls))
        for key, urls in self.rpc_urls.items():
            yield from ((f"PERP_RPC_URLS_{key}", url, both) for url in comma_urls(urls))
        for key, url in self.gains_backend_urls.items():
            yield f"PERP_GAINS_BACKEND_URL_{key}", url, http
        for key, url in self.gains_backend_ws_urls.items():
            yield f"PERP_GAINS_BACKEND_WS_URL_{key}", url, ws

    @property
    def history_kept_days(self) -> Mapping[str, int | None]:
        """By period of candles, None for ever; ticks are kept as long as ``1s``."""
        wide = self.history_candle_days
        return {
            "1s": self.history_tick_days,
            "1m": self.history_minute_days,
            **dict.fromkeys(("5m", "15m", "1h"), wide),
            **dict.fromkeys(("4h", "1d")),
        }

    def require_redis_url(self) -> str:
        if self.redis_url is None:
            raise SettingsError("REDIS_URL_MISSING", "REDIS_URL is not set and this role needs it")
        return self.redis_url.get_secret_value()

    def require_database_url(self) -> str:
        if self.database_url is None:
            raise SettingsError(
                "DATABASE_URL_MISSING", "DATABASE_URL is not set and this role needs it"
            )
        return self.database_url.get_secret_value()


def comma_urls(text: str) -> tuple[str, ...]:
    """A comma list of URLs in its order, without repetitions."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _comma_list(text: str) -> frozenset[str] | None:
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    return None if not names or names == {"all"} else names


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """A comma list of addresses and networks. Raises ValueError."""
    return tuple(ip_network(part) for part in map(str.strip, text.split(",")) if part)


def known_names() -> frozenset[str]:
    return frozenset(
        _PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
        if field.validation_alias is None and name not in _FAMILIES
    )


def _families() -> dict[str, Any]:
    """``PERP_RPC_URLS_42161=..`` -> ``{"rpc_urls": {"42161": ..}}``."""
    found: dict[str, dict[str, str]] = {name: {} for name in _FAMILIES}
    for name, pattern in _FAMILIES.items():
        for variable, value in os.environ.items():
            if match := pattern.fullmatch(variable):
                found[name][match.group(1)] = value
    return found


def ignored_names() -> list[str]:
    """Names that are right but belong to a part this version does not have."""
    return sorted(name for name in os.environ if NOT_IN_THIS_VERSION.fullmatch(name))


def load_settings() -> Settings:
    """Settings from the process environment.

    Raises SettingsError ``UNKNOWN_SETTING`` or ``BAD_SETTING`` with a message for people.
    """
    known = known_names()
    for name in sorted(os.environ):
        if (
            name.startswith(_PREFIX)
            and name not in known
            and not NOT_IN_THIS_VERSION.fullmatch(name)
            and not any(pattern.fullmatch(name) for pattern in _FAMILIES.values())
        ):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError("UNKNOWN_SETTING", f"unknown setting {name}{hint}")
    try:
        return Settings(**_families())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field_name = str(first["loc"][0])
        shown = field_name if field_name.isupper() else _PREFIX + field_name.upper()
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsError("BAD_SETTING", f"{shown}: {why}") from None
