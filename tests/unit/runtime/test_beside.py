"""Functions called in the process beside this one."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from domain.errors import VenueProtocolError
from runtime import beside


def pids() -> tuple[int, int]:
    return os.getpid(), os.getppid()


def die_once(mark: Path) -> int:
    """Dies of the first call, which leaves the mark."""
    if mark.exists():
        return 1
    mark.touch()
    die()
    return 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dawdle() -> None:
    print("begun", file=sys.stderr, flush=True)
    time.sleep(0.5)


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    print("not an answer")
    raise VenueProtocolError("GARBAGE", "seven")


def unpicklable() -> object:
    return lambda: None


async def test_it_is_another_process_that_stays() -> None:
    first = await beside.call(pids)
    assert first[1] == os.getpid() != first[0]
    assert await beside.call(pids) == first


async def test_calls_at_once_are_answered_each() -> None:
    answers = await asyncio.gather(*(beside.call(add, number, 1) for number in range(20)))
    assert answers == list(range(1, 21))


async def test_one_that_dies_is_replaced_and_asked_again(tmp_path: Path) -> None:
    before = await beside.call(pids)
    assert await beside.call(die_once, tmp_path / "mark") == 1
    assert await beside.call(pids) != before


async def test_a_call_that_kills_every_process() -> None:
    with pytest.raises(beside.BesideLost):
        await beside.call(die)
    assert await beside.call(add, 1, 1) == 2


async def test_what_is_raised_and_printed() -> None:
    with pytest.raises(VenueProtocolError) as raised:
        await beside.call(fail)
    assert (raised.value.code, raised.value.message) == ("GARBAGE", "seven")
    with pytest.raises((AttributeError, TypeError)):
        await beside.call(unpicklable)
    assert await beside.call(add, 1, 1) == 2


async def test_it_does_not_outlive_its_owner() -> None:
    """Killed, the owner cannot end it; its input ends."""
    program = (
        "import asyncio, time\n"
        "from runtime.beside import call\n"
        "from tests.unit.runtime.test_beside import pids\n"
        "print(asyncio.run(call(pids))[0], flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stdout is not None
    async with asyncio.timeout(20):
        pid = int(await owner.stdout.readline())
        state = Path(f"/proc/{pid}/stat")
        assert state.exists()
        owner.kill()
        await owner.wait()
        while state.exists() and " Z " not in state.read_text():
            await asyncio.sleep(0.01)


async def test_it_is_silent_when_its_owner_dies_while_it_computes() -> None:
    program = (
        "import asyncio\n"
        "from runtime.beside import call\n"
        "from tests.unit.runtime.test_beside import dawdle\n"
        "asyncio.run(call(dawdle))\n"
    )
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stderr is not None
    async with asyncio.timeout(20):
        assert await owner.stderr.readline() == b"begun\n"
        owner.kill()
        await owner.wait()
        # It ends when both have.
        assert await owner.stderr.read() == b""


PROGRAM_WITH_A_COPY = (
    "import asyncio, os\n"
    "from runtime import beside\n"
    "from tests.unit.runtime.test_beside import add, die_once, pids\n"
    "beside.begin()\n"
    "async def main(mark):\n"
    "    first, parent = await beside.call(pids)\n"
    "    assert parent == os.getpid() != first\n"
    "    assert (await beside.call(pids))[0] == first\n"
    "    assert await beside.call(die_once, mark) == 1\n"
    "    second, _ = await beside.call(pids)\n"
    "    assert second != first\n"
    "    print(first, second)\n"
)


async def test_a_copy_made_at_the_start_answers_and_is_replaced(tmp_path: Path) -> None:
    program = (
        f"{PROGRAM_WITH_A_COPY}from pathlib import Path\n"
        f"asyncio.run(main(Path({str(tmp_path / 'mark')!r})))\n"
    )
    owner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with asyncio.timeout(20):
        said, _ = await owner.communicate()
    assert owner.returncode == 0
    first, second = said.splitlines()[-1].split()
    # Neither outlives it, and the one that died was waited for.
    assert not Path(f"/proc/{int(first)}").exists()
    assert not Path(f"/proc/{int(second)}").exists()
