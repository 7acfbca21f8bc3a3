"""What the processes of a run wrote that should not be there."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Scan:
    """By file and event. ``errors``: lines of the level ``error`` and worse; those of nodes that
    lie (``rpc_wrong_chain``, ``receipt_disputed``) are what the faults are for."""

    tracebacks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        told = [_counts("tracebacks", self.tracebacks), _counts("errors", self.errors)]
        return "in the logs: " + "; ".join(told)


def scan(folder: Path) -> Scan:
    """All files there."""
    found = Scan()
    for path in sorted(folder.glob("*.log*")):
        for line in path.read_text(errors="replace").splitlines():
            event, level = _told(line)
            if "Traceback" in line:
                found.tracebacks[f"{path.name} {event}"] += 1
            if level in ("error", "critical"):
                found.errors[f"{path.name} {event}"] += 1
    return found


def _told(line: str) -> tuple[str, str]:
    """Event and level; of what is no JSON only what it begins with."""
    try:
        fields = json.loads(line)
        return str(fields["event"]).split("\n")[0][:60], str(fields["level"])
    except (ValueError, KeyError, TypeError):
        return line[:60], ""


def _counts(name: str, found: Counter[str]) -> str:
    told = ", ".join(f"{count} {what}" for what, count in sorted(found.items()))
    return f"{sum(found.values())} {name}" + (f" ({told})" if told else "")
