"""`advx store ls | verify | prune`: what is kept, whether it is sound, and what can go."""

from pathlib import Path
from typing import Any

from tabulate import tabulate

from advx.store.store import Meta, Store


def manage(verb: str, folder: Path, *, unfinished: bool = False) -> int:
    """Run one of the store's verbs; returns the exit status (1 where `verify` found damage).

    Args:
        verb: ls, verify or prune.
        folder: of the store.
        unfinished: whether `prune` deletes what a killed run would continue from.
    """
    if not folder.exists():  # to look at a store makes none
        print(f"{folder} is empty")
        return 0
    store = Store(folder)
    if verb == "prune":
        return prune(store, unfinished=unfinished)
    return {"ls": list_entries, "verify": verify}[verb](store)


def list_entries(store: Store) -> int:
    """One line for each trained model."""
    lines = []
    for key in store.entries():
        meta = store.meta(key)
        try:
            lines.append([key, *_described(meta or {})])
        except (KeyError, TypeError, ValueError):
            lines.append([key, "", "", "", "", "", store.problem(key) or "no readable meta.json"])
    header = ["key", "model", "data set", "seed", "best epoch", "validation error (%)", ""]
    print(tabulate(lines, headers=header) if lines else f"{store.folder} is empty")
    return 0


def _described(meta: Meta) -> list[Any]:
    """The columns of `list_entries` for one entry."""
    error = meta["validation_error_rate"]
    epochs = f"{meta['best_epoch']}/{meta['epochs']}"
    shown = "" if error is None else f"{error:.2f}"
    size = f"{meta['bytes'] / 2**20:.1f} MiB"
    return [meta["name"], meta["dataset"], meta["seed"], epochs, shown, size]


def verify(store: Store) -> int:
    """Compare every entry's weights with their digest."""
    problems = {key: problem for key in store.entries() if (problem := store.problem(key))}
    for key, problem in problems.items():
        print(f"{key}: {problem}")
    print(f"{len(store.entries()) - len(problems)} sound, {len(problems)} not")
    return 1 if problems else 0


def prune(store: Store, *, unfinished: bool = False) -> int:
    """Delete damaged entries, finished ones' last checkpoints, and where asked unfinished ones.

    Running ones are left alone. What a killed process had begun to write goes after an hour.
    """
    resumable = 0
    for key in store.entries():
        if store.unfinished(key) and not unfinished:
            resumable += 1
            continue
        problem = store.problem(key)
        if problem and store.remove_if_free(key):
            print(f"removed {key}: {problem}")
    freed = sum(store.drop_checkpoint(key) for key in store.entries())
    begun = store.drop_unfinished()
    if resumable:
        print(f"kept {resumable} model(s) whose training is unfinished: --unfinished removes them")
    if begun:
        print(f"removed {begun} file(s) that killed processes had begun to write")
    if freed:
        print(f"removed the last checkpoints of finished models: {freed / 2**20:.0f} MiB")
    return 0
