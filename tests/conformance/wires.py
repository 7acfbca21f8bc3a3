"""The venues under test. A new one is a line here."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.conformance.dydx import DydxWire
from tests.conformance.gains import GainsWire
from tests.conformance.gmx import GmxWire
from tests.conformance.kit import Wire

WIRES: Final[Mapping[str, Callable[[], Wire]]] = {
    "dydx": DydxWire,
    "gmx": GmxWire,
    "gains": GainsWire,
}
