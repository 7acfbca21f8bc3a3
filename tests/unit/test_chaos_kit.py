"""What the kill matrix is judged by."""

import ast
import sys
from pathlib import Path

from tests.chaos import chains, reader
from tests.chaos.logs import scan

OTHERS = {"asyncpg", "redis", "eth_abi", "eth_utils"}


def test_the_reader_imports_nothing_of_the_program() -> None:
    allowed = sys.stdlib_module_names | OTHERS
    for module in (reader, chains):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                # Of its own folder only itself.
                beside = {alias.name for alias in node.names} == {"chains"}
                assert not node.level or beside or node.module == "chains", ast.unparse(node)
                names = [] if node.level else [str(node.module)]
            else:
                continue
            assert {name.partition(".")[0] for name in names} <= allowed, names


def test_logs_are_searched_for_what_should_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "gateway.log").write_text(
        '{"event": "a", "level": "info"}\n{"event": "b", "level": "error"}\n'
        '{"event": "c\\nd", "level": "error", "exception": "Traceback (most recent call last)"}\n'
    )
    (tmp_path / "victims.log.1").write_text("Traceback (most recent call last):\nno JSON\n[]\n")
    found = scan(tmp_path)
    assert found.errors == {"gateway.log b": 1, "gateway.log c": 1}
    assert found.tracebacks == {
        "gateway.log c": 1,
        "victims.log.1 Traceback (most recent call last):": 1,
    }
    assert str(found).startswith("in the logs: 2 tracebacks (1 gateway.log c, ")
    assert str(scan(tmp_path / "none")) == "in the logs: 0 tracebacks; 0 errors"
