"""A recording on the disk: nobody waits for it, it says what it lost, all stay below the cap."""

from pathlib import Path

from aggregator.recording.folder import SUFFIX, Folder
from aggregator.recording.format import MAGIC, Entry, Kind, Reader, packed
from aggregator.recording.writer import RecordingWriter

MEGABYTE = 1024 * 1024


def entries(path: Path) -> tuple[list[Entry], bool]:
    with path.open("rb") as file:
        reader = Reader(file)
        return list(reader), reader.torn


def frame(number: int, size: int = 50) -> bytes:
    return packed(Kind.FRAME, 1, number, number, b"x" * size)


def test_entries_are_kept_in_order_over_many_blocks(tmp_path: Path) -> None:
    writer = RecordingWriter(Folder(tmp_path, 100 * MEGABYTE))
    for number in range(300):
        writer.put(frame(number, 20_000))
    writer.close()
    found, torn = entries(writer.path)
    assert [entry.wall_us for entry in found[:-1]] == list(range(300))
    assert found[-1].kind == Kind.END
    assert not torn
    assert writer.spoilt is None
    assert writer.size == writer.path.stat().st_size < MEGABYTE
    assert writer.path.stat().st_mode & 0o777 == 0o600


def test_what_finds_no_room_is_counted_in_the_file(tmp_path: Path) -> None:
    writer = RecordingWriter(Folder(tmp_path, MEGABYTE), max_waiting_bytes=1_000)
    for number in range(1_000):
        writer.put(frame(number))
    writer.close()
    found, torn = entries(writer.path)
    frames = [entry for entry in found if entry.kind == Kind.FRAME]
    lost = sum(int(entry.body) for entry in found if entry.kind == Kind.GAP)
    assert lost > 0
    assert len(frames) + lost == 1_000
    assert writer.spoilt == "OVERFLOW"
    assert not torn


def test_a_gap_stands_where_the_entries_are_missing(tmp_path: Path) -> None:
    writer = RecordingWriter(Folder(tmp_path, MEGABYTE), max_waiting_bytes=200)
    for number in range(5):
        writer.put(frame(number, 150))
    # Room again, as after a look of the thread.
    with writer._lock:
        writer._waiting_bytes = 0
    writer.put(frame(9))
    writer.close()
    found = [entry for entry in entries(writer.path)[0] if entry.kind != Kind.END]
    assert found[-1].wall_us == 9
    assert found[-2].kind == Kind.GAP
    assert sum(entry.kind == Kind.FRAME for entry in found) + int(found[-2].body) == 6


def test_the_oldest_goes_when_the_cap_is_reached_and_never_an_open_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 1_000)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}{SUFFIX}").write_bytes(b"x" * 300)
    (tmp_path / "notes.txt").write_bytes(b"x" * 5_000)
    path, file = folder.create()
    file.write(b"x" * 350)
    assert folder.make_room(50)
    assert {item.name for item in tmp_path.iterdir()} == {
        f"b{SUFFIX}", f"c{SUFFIX}", path.name, "notes.txt"
    }  # fmt: skip
    assert folder.make_room(650)
    assert not folder.make_room(651)
    assert path.exists()
    file.close()
    folder.finished(path)
    assert folder.make_room(651)
    assert not path.exists()


def test_a_file_that_cannot_grow_says_so_and_stays_readable(tmp_path: Path) -> None:
    writer = RecordingWriter(Folder(tmp_path, len(MAGIC) + 10))
    writer.put(frame(1))
    writer.close()
    assert writer.spoilt == "the cap of the folder is reached"
    assert entries(writer.path) == ([], True)
    assert writer.path.stat().st_size == len(MAGIC)
