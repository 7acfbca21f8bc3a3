"""Settings of every role, from the environment only. Read in ``service.py`` and ``perptape`` and
passed on from there. An unknown ``PERP_*`` name stops the start: a typo is no default."""

import difflib
import os
import re
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.errors import InputError

_PREFIX: Final = "PERP_"
_MARKET: Final = re.compile(r"[A-Z0-9.]+-[A-Z0-9]+")

# Names the published contract gives to parts that are not in this version. They are accepted, so
# that one environment file serves every version, and the start says that they have no effect yet.
NOT_IN_THIS_VERSION: Final = re.compile(
    r"PERP_(TRADING|RATE_LIMIT_FACTOR|FAILPOINT|SIGNER_KEK"
    r"|FINALITY_DEPTH_\d+|RPC_URLS_\d+"
    r"|DYDX_NODE_RPC_URLS|DYDX_NODE_REST_URLS"
    r"|GMX_(KEEPER_URLS|API_URLS|VERSION)"
    r"|GMX_(EXCHANGE_ROUTER|ROUTER|ORDER_VAULT|READER|DATA_STORE|EVENT_EMITTER|ORDER_HANDLER"
    r"|ROLE_STORE|REFERRAL_STORAGE|SIMULATION_ROUTER|SUBACCOUNT_ROUTER)_ADDRESS"
    r"|GAINS_(PRICING_WS_URL|PRICING_HTTP_URL|GLOBAL_URL)"
    r"|GAINS_(BACKEND_URL|BACKEND_WS_URL|DIAMOND_ADDRESS)_\d+)"
)


class SettingsError(InputError):
    """The environment cannot be used; the message says which name and why."""


class Settings(BaseSettings):
    """One field a variable: ``PERP_HTTP_PORT`` is ``http_port``. Units last."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore")

    network: Literal["sandbox", "live", "testnet"] = "sandbox"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=1, le=65535)
    metrics_port: int = Field(default=9464, ge=1, le=65535)
    data_dir: Path = Path(".data")
    redis_url: SecretStr | None = Field(default=None, validation_alias="REDIS_URL")
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")
    markets: str = "all"
    venues: str = "all"
    gateways: int = Field(default=1, ge=1, le=64)
    allow_private_urls: bool | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    dydx_ws_url: str | None = None
    dydx_http_url: str | None = None
    dydx_chain_id: str | None = None
    sandbox_control_port: int = Field(default=8100, ge=1, le=65535)
    sandbox_dydx_port: int = Field(default=8101, ge=1, le=65535)
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

    @property
    def private_urls_allowed(self) -> bool:
        if self.allow_private_urls is None:
            return self.network == "sandbox"
        return self.allow_private_urls

    @property
    def market_filter(self) -> frozenset[str] | None:
        """Canonical markets to run, None for all."""
        return _comma_list(self.markets)

    @property
    def venue_filter(self) -> frozenset[str] | None:
        return _comma_list(self.venues)

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


def _comma_list(text: str) -> frozenset[str] | None:
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    return None if not names or names == {"all"} else names


def known_names() -> frozenset[str]:
    return frozenset(
        _PREFIX + name.upper()
        for name, field in Settings.model_fields.items()
        if field.validation_alias is None
    )


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
        ):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError("UNKNOWN_SETTING", f"unknown setting {name}{hint}")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field_name = str(first["loc"][0])
        shown = field_name if field_name.isupper() else _PREFIX + field_name.upper()
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsError("BAD_SETTING", f"{shown}: {why}") from None
