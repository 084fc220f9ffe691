"""`advx store ls | verify | prune`: what is kept, whether it is sound, and what can go."""

from pathlib import Path

from tabulate import tabulate

from advx.store.store import Store


def manage(verb: str, folder: Path) -> int:
    """Run one of the store's verbs; returns the exit status (1 where `verify` found damage)."""
    store = Store(folder)
    return {"ls": list_entries, "verify": verify, "prune": prune}[verb](store)


def list_entries(store: Store) -> int:
    """One line for each trained model."""
    lines = []
    for key in store.entries():
        meta = store.meta(key)
        if meta is None:
            lines.append([key, "", "", "", "", "", store.problem(key)])
        else:
            error = meta["validation_error_rate"]
            epochs = f"{meta['best_epoch']}/{meta['epochs']}"
            shown = "" if error is None else f"{error:.2f}"
            size = f"{meta['bytes'] / 2**20:.1f} MiB"
            lines.append([key, meta["name"], meta["dataset"], meta["seed"], epochs, shown, size])
    header = ["key", "model", "data set", "seed", "best epoch", "validation error (%)", ""]
    print(tabulate(lines, headers=header) if lines else f"{store.folder} is empty")
    return 0


def verify(store: Store) -> int:
    """Compare every entry's weights with their digest."""
    problems = {key: problem for key in store.entries() if (problem := store.problem(key))}
    for key, problem in problems.items():
        print(f"{key}: {problem}")
    print(f"{len(store.entries()) - len(problems)} sound, {len(problems)} not")
    return 1 if problems else 0


def prune(store: Store) -> int:
    """Delete entries that are damaged or unfinished, and finished ones' last checkpoints.

    Running ones are left alone.
    """
    for key in store.entries():
        problem = store.problem(key)
        if problem and store.remove_if_free(key):
            print(f"removed {key}: {problem}")
    freed = sum(store.drop_checkpoint(key) for key in store.entries())
    if freed:
        print(f"removed the last checkpoints of finished models: {freed / 2**20:.0f} MiB")
    return 0
