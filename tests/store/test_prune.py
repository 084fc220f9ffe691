"""What `advx store prune` removes, and what it leaves."""

import os
import time

import torch
from filelock import FileLock

from advx.cli.store import prune
from advx.store.store import Store
from tests.own_files import names


def test_what_a_killed_process_had_begun_is_pruned_an_hour_later(tmp_path, command) -> None:
    rows = tmp_path / "kept" / "rows"
    rows.mkdir(parents=True)
    for name, age in ((".x.1.partial", 4000), (".y.2.partial", 10)):
        (rows / name).write_text("", encoding="utf-8")
        os.utime(rows / name, (time.time() - age,) * 2)
    done = command("store", "prune", "--store", "kept")
    assert done.out == "removed 1 file(s) that killed processes had begun to write\n"
    assert names(rows) == {".y.2.partial"}
    assert command("store", "prune", "--store", "nowhere").out == "nowhere is empty\n"
    assert "nowhere" not in names(tmp_path)


def test_unfinished_training_is_pruned_only_where_asked(tmp_path, command) -> None:
    for key, file in (("killed", "checkpoint.pt"), ("bare", "weights.pt")):
        folder = tmp_path / "kept" / "models" / key
        folder.mkdir(parents=True)
        (folder / file).write_bytes(b"x")
    done = command("store", "prune", "--store", "kept")
    assert done.out == (
        "removed bare: no readable meta.json\n"
        "kept 1 model(s) whose training is unfinished: --unfinished removes them\n"
    )
    assert names(tmp_path / "kept" / "models") == {"killed"}
    done = command("store", "prune", "--store", "kept", "--unfinished")
    assert done.out == "removed killed: training unfinished (checkpoint kept)\n"
    assert names(tmp_path / "kept" / "models") == set()


def test_an_entry_that_was_mended_while_prune_waited_stays(tmp_path, monkeypatch) -> None:
    """Its problem is asked of whoever holds the lock, and not before."""
    store = Store(tmp_path / "kept")
    (store.path("made") / "weights.pt").parent.mkdir(parents=True)
    assert store.problem("made")
    locked = FileLock.acquire

    def slow(lock: FileLock, *args: object, **more: object) -> object:
        store.save("made", {"w": torch.ones(1)}, {})
        return locked(lock, *args, **more)

    monkeypatch.setattr(FileLock, "acquire", slow)
    assert prune(store) == 0
    assert store.problem("made") is None
