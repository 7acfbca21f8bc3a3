"""Serves a recorded frame file to every client that connects.

    python -m sandbox.dydx.replay FILE.jsonl --speed 1 --port 8101

A line is a frame as it was sent, or ``{"received_us": 1790000000123456, "frame": ...}`` with the
frame as an object or as a string. Frames leave byte for byte as they stand in the file; a string is
sent as it is, which is how recorded garbage is kept. After the last frame the socket is closed
with 1000."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_DEFAULT_INTERVAL_MS: Final = 100.0


class Recorded(NamedTuple):
    frame: str
    wait_us: int


def load(path: Path, interval_ms: float) -> list[Recorded]:
    """Frames with the time since the one before; ``interval_ms`` where no times were recorded.

    Raises ValueError with the line number for a line that is no JSON."""
    frames: list[Recorded] = []
    last_us: int | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None
        wait_us = int(interval_ms * 1000) if frames else 0
        if isinstance(value, dict) and "frame" in value:
            frame = value["frame"]
            line = frame if isinstance(frame, str) else orjson.dumps(frame).decode()
            received_us = int(value["received_us"])
            wait_us = max(0, received_us - last_us) if last_us is not None else 0
            last_us = received_us
        frames.append(Recorded(line, wait_us))
    return frames


async def start(frames: Sequence[Recorded], speed: float, port: int) -> Server:
    """``speed`` divides the recorded waits; 0 sends without any."""

    async def play(connection: ServerConnection) -> None:
        try:
            for recorded in frames:
                if speed and recorded.wait_us:
                    await asyncio.sleep(recorded.wait_us / 1e6 / speed)
                await connection.send(recorded.frame)
        except ConnectionClosed:
            return

    return await serve(play, "127.0.0.1", port, compression=None)


async def _run(frames: Sequence[Recorded], speed: float, port: int) -> None:
    server = await start(frames, speed, port)
    print(f"replaying {len(frames)} frames on ws://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.dydx.replay")
    parser.add_argument("file", type=Path)
    parser.add_argument("--speed", type=float, default=1.0, help="times real time; 0: at once")
    parser.add_argument("--port", type=int, default=8101)
    parser.add_argument(
        "--interval-ms",
        type=float,
        default=_DEFAULT_INTERVAL_MS,
        help="between frames where the file has no times",
    )
    options = parser.parse_args(arguments)
    if options.speed < 0 or options.interval_ms < 0:
        parser.error("--speed and --interval-ms cannot be negative")
    try:
        frames = load(options.file, options.interval_ms)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    asyncio.run(_run(frames, options.speed, options.port))


if __name__ == "__main__":
    main()
