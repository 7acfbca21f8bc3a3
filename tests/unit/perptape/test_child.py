import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perptape.child import Child
from perptape.log_files import ChildLog
from perptape.process import Launch, run_to_end, spawn

MakeChild = Callable[..., Child]


def python(code: str, **options: Any) -> Launch:
    return Launch(argv=(sys.executable, "-c", code), env={"PATH": os.defpath}, **options)


def on_term(handler: str) -> str:
    """A program that says when it listens, then waits."""
    return (
        f"import signal, sys, time; signal.signal(signal.SIGTERM, {handler})\n"
        "print('ready', flush=True); time.sleep(60)"
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def make(tmp_path: Path, said: list[str]) -> AsyncIterator[MakeChild]:
    children: list[Child] = []

    def make_child(launch: Launch, **options: Any) -> Child:
        log = ChildLog("role", tmp_path, lambda level, text: said.append(text) is None, json=False)
        options = {"stop_grace_s": 5.0, "say": said.append, "started": lambda: None} | options
        children.append(Child("role", launch, log, **options))
        return children[-1]

    yield make_child
    hurry = asyncio.Event()
    hurry.set()
    for child in children:
        await child.stop(hurry)
        child.log.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_is_started_again_with_growing_delays(make: MakeChild, said: list[str]) -> None:
    child = make(python("print('bad luck'); raise SystemExit(3)"))
    await until(lambda: child.restarts == 3)
    assert [line.rpartition(" in ")[0] for line in said] == [
        "role ended with code 3 (bad luck); starting it again"
    ] * 3
    delays = [float(line.split()[-2]) for line in said]
    assert 0.1 <= delays[0] <= 0.2
    assert 0.4 <= delays[2] <= 0.8


async def test_says_which_signal_ended_it(make: MakeChild, said: list[str]) -> None:
    child = make(python("import time; time.sleep(60)"))
    await until(lambda: child.pid)
    first = child.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (None, first))
    assert said[0].startswith("role was ended by signal 9 (Killed); starting it again in 0.")


async def test_is_not_started_again_after_it_refused(make: MakeChild, said: list[str]) -> None:
    child = make(python("print('PERP_X: no'); raise SystemExit(2)"), refusal_code=2)
    await child.task
    assert child.refused
    assert child.last_line == "PERP_X: no"
    assert said == []


async def test_a_program_that_is_not_there_is_tried_again(make: MakeChild, said: list[str]) -> None:
    child = make(Launch(argv=("/nowhere/program",), env={}))
    await until(lambda: child.restarts == 1)
    assert "role cannot be started" in said[0]


async def test_stop_asks_first(make: MakeChild, said: list[str]) -> None:
    child = make(python(on_term("lambda *_: sys.exit(0)")))
    await until(lambda: child.log.last_lines)
    await child.stop(asyncio.Event())
    assert child.task.done()
    assert said == []


@pytest.mark.parametrize("hurried", [True, False])
async def test_stop_kills_what_does_not_listen(
    make: MakeChild, said: list[str], hurried: bool
) -> None:
    child = make(python(on_term("signal.SIG_IGN")), stop_grace_s=60 if hurried else 0.1)
    await until(lambda: child.log.last_lines)
    hurry = asyncio.Event()
    if hurried:
        hurry.set()
    await asyncio.wait_for(child.stop(hurry), 5)
    assert said == ["role does not end by itself and is killed"]


async def test_a_stopped_process_can_still_be_ended(make: MakeChild, said: list[str]) -> None:
    child = make(python("import time; print(1, flush=True); time.sleep(60)"))
    await until(lambda: child.log.last_lines)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    await child.stop(asyncio.Event())
    assert said == []


async def test_repair_is_told_the_last_words(make: MakeChild, said: list[str]) -> None:
    heard: list[list[str]] = []

    def repair(last_lines: Any) -> str | None:
        heard.append(list(last_lines))
        return "mended" if len(heard) == 1 else None

    child = make(python("print('a'); print('b'); raise SystemExit(1)"), repair=repair)
    await until(lambda: child.restarts == 2)
    assert heard[0] == ["a", "b"]
    assert "; mended; starting" in said[0]
    assert "mended" not in said[1]


async def test_stdin_holds_what_the_program_shall_read() -> None:
    code, output = await run_to_end(python("print(input() + '!')", stdin=b"configuration\n"))
    assert (code, output) == (0, "configuration!\n")


async def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """The parent is killed without a chance to do anything, the child has stopped listening."""
    pid_file = tmp_path / "pid"
    sleeper = on_term("signal.SIG_IGN")
    parent = (
        "import asyncio, os, sys\n"
        "from pathlib import Path\n"
        "from perptape.process import Launch, spawn\n"
        "async def main():\n"
        f"    child = await spawn(Launch(argv=(sys.executable, '-c', {sleeper!r}), env={{}}), 1)\n"
        f"    Path({str(pid_file)!r}).write_text(f'{{child.pid}} ')\n"
        "    await child.wait()\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[3])
    launch = Launch(argv=(sys.executable, "-c", parent), env={"PYTHONPATH": root})
    process = await spawn(launch, 2)
    await until(lambda: pid_file.exists() and pid_file.read_text().endswith(" "))
    child = int(pid_file.read_text())
    assert Path(f"/proc/{child}").exists()
    process.kill()
    await process.wait()
    await until(lambda: not Path(f"/proc/{child}/exe").exists())
