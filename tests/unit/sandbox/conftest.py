import json
from collections.abc import Callable

import pytest

from tests.unit.sandbox.offline import RECORDED, Frame, Replica


@pytest.fixture
def replica() -> Replica:
    return Replica()


@pytest.fixture
def recorded() -> Callable[[str], Frame]:
    def load(name: str) -> Frame:
        frame: Frame = json.loads((RECORDED / name).read_bytes())
        return frame

    return load
