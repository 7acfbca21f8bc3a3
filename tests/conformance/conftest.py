from collections.abc import Callable

import pytest

from tests.conformance.kit import Bench, Wire
from tests.conformance.wires import WIRES

MakeWire = Callable[[], Wire]


@pytest.fixture(params=WIRES.values(), ids=list(WIRES))
def make(request: pytest.FixtureRequest) -> MakeWire:
    """Makes the wire of one venue after the other."""
    made: MakeWire = request.param
    return made


@pytest.fixture
def other(make: MakeWire) -> MakeWire:
    """Makes the wire of another venue."""
    made = list(WIRES.values())
    return made[(made.index(make) + 1) % len(made)]


@pytest.fixture
def bench(make: MakeWire) -> Bench:
    return Bench(make())
