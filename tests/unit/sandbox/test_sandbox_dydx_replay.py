from pathlib import Path

import pytest

from sandbox.dydx.replay import load, main
from tests.unit.sandbox.offline import RECORDED

SEQUENCE = RECORDED / "abacus" / "v4_orderbook_eth_sequence.jsonl"


def test_frames_are_the_bytes_of_the_file() -> None:
    frames = load(SEQUENCE, interval_ms=50)
    assert [recorded.frame for recorded in frames] == SEQUENCE.read_text().splitlines()
    assert [recorded.wait_us for recorded in frames] == [0] + [50_000] * 8


def test_recorded_times_set_the_pace(tmp_path: Path) -> None:
    file = tmp_path / "timed.jsonl"
    file.write_text(
        '{"received_us":1000,"frame":{"type":"connected"}}\n'
        "\n"
        '{"received_us":4000,"frame":"{not json"}\n'
        '{"received_us":3000,"frame":"late"}\n'
    )
    assert load(file, interval_ms=50) == [
        ('{"type":"connected"}', 0),
        ("{not json", 3000),
        ("late", 0),
    ]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"type":"connected"}\n{\n')
    with pytest.raises(ValueError, match=r"bad\.jsonl:2"):
        load(file, interval_ms=50)


@pytest.mark.parametrize("arguments", [["missing.jsonl"], [str(SEQUENCE), "--speed", "-1"]])
def test_bad_arguments_end_with_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err
