import asyncio
import json
import os
from pathlib import Path

import pytest

from perptape.log_files import KEPT, BoundedFile, ChildLog


def test_rotates_at_its_size_and_keeps_a_few(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "x.log", max_bytes=100)
    for number in range(60):
        file.write(b"%09d\n" % number)
    file.close()

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x.log", *(f"x.log.{number}" for number in range(1, KEPT + 1))]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert (tmp_path / "x.log").read_bytes().endswith(b"000000059\n")
    assert file.dropped == 0


def test_goes_on_with_an_existing_file(tmp_path: Path) -> None:
    for line in (b"one\n", b"two\n"):
        file = BoundedFile(tmp_path / "x.log")
        file.write(line)
        file.close()
    assert (tmp_path / "x.log").read_bytes() == b"one\ntwo\n"


def test_a_full_disk_costs_lines_that_are_counted() -> None:
    file = BoundedFile(Path("/dev/full"))
    for _ in range(3):
        file.write(b"line\n")
    assert file.dropped == 3


def test_comes_back_when_the_folder_does(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "later" / "x.log")
    file.write(b"lost\n")
    (tmp_path / "later").mkdir()
    file.write(b"kept\n")
    assert (tmp_path / "later" / "x.log").read_bytes() == b"kept\n"
    assert file.dropped == 1


def test_logs_are_for_the_owner_only(tmp_path: Path) -> None:
    file = BoundedFile(tmp_path / "x.log")
    file.write(b"line\n")
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


@pytest.fixture
async def shown() -> list[tuple[str, str]]:
    return []


@pytest.fixture
async def log(tmp_path: Path, shown: list[tuple[str, str]]) -> ChildLog:
    return ChildLog("feed", tmp_path, lambda *line: shown.append(line) is None, json=True)


def _lines(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "feed.log").read_text().splitlines()]


async def test_json_lines_pass_and_plain_ones_are_wrapped(tmp_path: Path, log: ChildLog) -> None:
    os.write(log.write_end, b'{"event":"a","level":"info"}\nTraceback: oh\xff\n\n[1]\n')
    await asyncio.sleep(0)
    log.close()
    first, second, third = _lines(tmp_path)
    assert first == {"event": "a", "level": "info"}
    assert second["event"] == "Traceback: oh\ufffd"
    assert second["role"] == "feed"
    assert third["event"] == "[1]"
    assert list(log.last_lines) == ["Traceback: oh\ufffd", "[1]"]


async def test_a_line_may_arrive_in_pieces(tmp_path: Path, log: ChildLog) -> None:
    for piece in (b'{"event":', b'"a"}\n{"event"', b':"b"}'):
        os.write(log.write_end, piece)
        log.drain()
    log.close()
    assert [line["event"] for line in _lines(tmp_path)] == ["a", "b"]


async def test_an_endless_line_is_cut(tmp_path: Path, log: ChildLog) -> None:
    for _ in range(8):
        os.write(log.write_end, b"x" * 50_000)
        log.drain()
    log.close()
    assert (tmp_path / "feed.log").stat().st_size <= 8 * 50_000 + 1_000
    assert all(len(str(line["event"])) <= 64_000 for line in _lines(tmp_path))


async def test_what_is_no_news_yet_uses_up_nothing(tmp_path: Path) -> None:
    shown: list[tuple[str, str]] = []
    quiet = True

    def show(level: str, text: str) -> bool:
        if quiet and level == "warning":
            return False
        shown.append((level, text))
        return True

    log = ChildLog("feed", tmp_path, show, json=True)
    os.write(log.write_end, b'{"level": "warning", "event": "not_there"}\n' * 50)
    log.drain()
    assert shown == []
    quiet = False
    os.write(log.write_end, b'{"level": "error", "event": "bad"}\n')
    log.drain()
    assert shown == [("error", "feed error: bad")]
    log.close()


async def test_warnings_are_shown_short_and_not_without_end(
    log: ChildLog, shown: list[tuple[str, str]]
) -> None:
    warning = {"event": "venue_down", "level": "warning", "at": "now", "venue": "dydx", "why": "x"}
    calm = {"event": "connected", "level": "info"}
    os.write(log.write_end, json.dumps(calm).encode() + b"\n")
    os.write(log.write_end, (json.dumps(warning).encode() + b"\n") * 50)
    log.drain()
    log.close()
    assert shown[0] == ("warning", "feed warning: venue_down venue=dydx why=x")
    assert len(shown) == 11
    assert shown[-1] == ("warning", "feed: more of this, see its log")


async def test_nothing_in_a_log_line_reaches_the_terminal_as_a_command(
    log: ChildLog, shown: list[tuple[str, str]]
) -> None:
    os.write(
        log.write_end, b'{"level":"error","event":"bad\\n\\u001b[2J","x":"\\u202e"}\n{"level":[]}\n'
    )
    log.drain()
    log.close()
    assert shown == [("error", "feed error: bad [2J x=")]
