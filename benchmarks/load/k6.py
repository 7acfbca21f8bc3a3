"""Runs the k6 scripts and reads what k6 says at the end."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.load.plan import LoadError

SCRIPTS: Final = Path(__file__).resolve().parent / "k6"
GRACE_S: Final = 60.0
THRESHOLDS_CROSSED: Final = 99
"""Exit status of k6."""
OWN: Final = ("answers_", "rest_", "socket_")
OF_REQUESTS: Final = ("checks", "dropped_iterations", "http_req_duration", "http_reqs")


@dataclass(frozen=True, slots=True)
class K6Result:
    """``crossed``: metrics beyond a threshold. ``checks``: passed and failed. ``rows``: each metric
    with its figures."""

    script: str
    crossed: Sequence[str]
    checks: tuple[int, int]
    rows: list[tuple[str, dict[str, float]]]


def program() -> str | None:
    """The k6 of this environment, else one on PATH; None where there is neither."""
    own = Path(sys.executable).with_name("k6")
    return str(own) if own.exists() else shutil.which("k6")


def run(k6: str, script: str, seconds: float, **variables: str) -> K6Result:
    """Runs ``<script>.js``, which takes about so many seconds. Raises LoadError where it fails."""
    with tempfile.TemporaryDirectory(prefix="perptape-k6-") as folder:
        summary = Path(folder) / "summary.json"
        command = [
            k6, "run", "--quiet", "--no-usage-report", "--address", "",
            "--summary-trend-stats", "med,p(99),p(99.9),max",
            "--summary-export", str(summary), str(SCRIPTS / f"{script}.js"),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command,
                env=os.environ | variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=seconds + GRACE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LoadError(f"k6 {script} did not end within {seconds + GRACE_S:.0f} s") from None
        if done.returncode not in (0, THRESHOLDS_CROSSED):
            last = done.stdout.decode("utf-8", "replace").strip().splitlines()[-5:]
            raise LoadError("\n".join([f"k6 {script} failed:", *last]))
        content = orjson.loads(summary.read_bytes())
    return K6Result(script, _crossed(content), _checks(content), _rows(content))


def _crossed(content: dict[str, Any]) -> list[str]:
    """k6 writes true beside a threshold that was crossed."""
    return [
        name
        for name, metric in sorted(content["metrics"].items())
        if any(metric.get("thresholds", {}).values())
    ]


def _checks(content: dict[str, Any]) -> tuple[int, int]:
    metric = content["metrics"].get("checks", {})
    return int(metric.get("passes", 0)), int(metric.get("fails", 0))


def _rows(content: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """The metrics of the script's own and what tells of requests, in ms and numbers."""
    rows = []
    for name, metric in sorted(content["metrics"].items()):
        if name in OF_REQUESTS or name.startswith(OWN):
            figures = {key: value for key, value in metric.items() if key != "thresholds"}
            rows.append((name, figures))
    return rows
