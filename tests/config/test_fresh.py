"""A user's own module runs as its file stands, whatever bytecode lies beside it."""

import os
import py_compile
import sys
from pathlib import Path

import pytest

from advx.config.build import target
from advx.config.fresh import FINDER
from advx.config.sources import reachable


def changed_unseen(path: Path, text: str) -> None:
    """Bytecode for the file as it is; then other text of the same size and time."""
    py_compile.compile(str(path))
    before = path.stat()
    assert len(text) == before.st_size
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("package", ["", "fresh_package."])
def test_bytecode_of_the_same_size_and_time_is_not_run(tmp_path, monkeypatch, package) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = tmp_path / package.strip(".")
    folder.mkdir(exist_ok=True)
    if package:
        (folder / "__init__.py").write_text("")
    names = [f"{package}fresh_helper", f"{package}fresh_net"]
    (folder / "fresh_helper.py").write_text("def value(): return 1\n")
    (folder / "fresh_net.py").write_text(
        f"def value():\n    from {names[0]} import value\n    return value() + 10\n"
    )
    changed_unseen(folder / "fresh_helper.py", "def value(): return 2\n")
    changed_unseen(folder / "fresh_net.py", (folder / "fresh_net.py").read_text()[:-3] + "20\n")
    try:
        assert target({"_target_": f"{names[1]}.value"})() == 22
        assert set(names) <= set(reachable(frozenset(names)))
    finally:
        for name in [m for m in sys.modules if m.startswith("fresh_")]:
            sys.modules.pop(name)


def test_installed_modules_keep_their_bytecode() -> None:
    spec = FINDER.find_spec("hydra", None)
    assert spec is not None
    assert spec.cached
