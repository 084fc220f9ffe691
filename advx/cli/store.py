"""`advx store ls | verify | prune | export`: what is kept, whether it is sound, what can go."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from advx.errors import ConfigError
from advx.store import measurements
from advx.store.export import export, write_card
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


def write_weights(folder: Path, names: list[str], *, half: bool = False, card: bool = False) -> int:
    """Write the weights of one entry into a file; returns the exit status.

    Args:
        folder: of the store.
        names: the entry's key, or its beginning, and the file.
        half: in half precision.
        card: with a card beside it.

    Raises:
        ConfigError: as `export`; or there are not two names.
    """
    if len(names) != 2:
        given = " ".join(names) or "nothing"
        raise ConfigError(f"store export: {given} given; valid: advx store export KEY FILE")
    if not folder.exists():
        raise ConfigError(f"--store {folder}: there is none; valid: the folder of a store")
    path = Path(names[1])
    described = export(Store(folder), names[0], path, half=half)
    print(f"{described.get('name', names[0])}, {described['precision']}: {path}")
    if card:
        print(f"card: {write_card(path, described)}")
    return 0


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
    """Compare every entry's weights, and every stored number, with their digests."""
    models = {key: store.problem(key) for key in store.entries()}
    rows = {path: _problem(store, path) for path in store.rows()}
    undigested = [path for path in rows if not rows[path] and not measurements.has_digest(path)]
    for name, problem in [*models.items(), *((f"rows/{p.name}", rows[p]) for p in rows)]:
        if problem:
            print(f"{name}: {problem}")
    print(f"models: {_counted(models.values())}")
    old = f", {len(undigested)} of an older version without a digest" if undigested else ""
    print(f"measurements: {_counted(rows.values(), apart=len(undigested))}{old}")
    return 1 if any([*models.values(), *rows.values()]) else 0


def _problem(store: Store, path: Path) -> str | None:
    """Of a measurement's file: how it is damaged, or why it cannot be read."""
    try:
        return store.row_problem(path)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _counted(problems: Iterable[str | None], apart: int = 0) -> str:
    """How many have none, and how many have one; `apart` are counted elsewhere."""
    found = list(problems)
    unsound = sum(problem is not None for problem in found)
    return f"{len(found) - unsound - apart} sound, {unsound} not"


def prune(store: Store, *, unfinished: bool = False) -> int:
    """Delete what is damaged, finished models' last checkpoints, and where asked unfinished models.

    Running ones are left alone. What a killed process had begun to write goes after an hour.
    """
    resumable = 0
    for key in store.entries():
        if store.unfinished(key) and not unfinished:
            resumable += 1
            continue
        problem = store.remove_damaged(key)
        if problem:
            print(f"removed {key}: {problem}")
    for path in store.rows():
        problem = store.remove_damaged_row(path)
        if problem:
            print(f"removed rows/{path.name}: {problem}")
    freed = sum(store.drop_checkpoint(key) for key in store.entries())
    begun = store.drop_unfinished()
    if resumable:
        print(f"kept {resumable} model(s) whose training is unfinished: --unfinished removes them")
    if begun:
        print(f"removed {begun} file(s) that killed processes had begun to write")
    if freed:
        print(f"removed the last checkpoints of finished models: {freed / 2**20:.0f} MiB")
    return 0
