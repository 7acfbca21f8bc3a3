"""The pinned ABIs by release. Pure: the files are part of the program."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

from connectors.base import abi
from connectors.base.abi import Function

Version = Literal["v2.2b", "v2.2c"]
Contract = Literal["ExchangeRouter", "Reader"]

_FOLDER: Final = Path(__file__).parents[1] / "abi"


@cache
def functions(version: Version, contract: Contract) -> Mapping[str, Function]:
    """By name."""
    return abi.functions(_FOLDER / version / f"{contract}.json")


@cache
def errors() -> Mapping[bytes, Function]:
    """Custom errors of all contracts and releases, by selector."""
    return abi.errors(_FOLDER / "errors.json")
