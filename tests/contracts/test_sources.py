"""What every source file keeps to: named encodings, and nothing that Windows lacks."""

import ast
import importlib
import math
import sys
from pathlib import Path

from advx import memory
from tests.paths import SOURCES


def test_text_is_read_and_written_in_a_named_encoding() -> None:
    """What ruff's PLW1514 misses: it does not know every path for one."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                arguments = {"read_text": 0, "write_text": 1}.get(node.func.attr)
                named = "encoding" in {k.arg for k in node.keywords}
                assert arguments is None or named or len(node.args) > arguments, (
                    f"{path}:{node.lineno}: {node.func.attr} without an encoding"
                )


def test_no_module_needs_what_windows_lacks(monkeypatch) -> None:
    lacking = {"resource", "fcntl", "pwd", "grp", "termios", "tty", "pty"}
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                assert not lacking & {alias.name for alias in node.names}, path
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # nor /proc
    try:
        assert math.isnan(importlib.reload(memory).resident_peak())
    finally:
        monkeypatch.undo()
        importlib.reload(memory)
    assert memory.resident_peak() > 10
