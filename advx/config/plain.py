"""What can be wrong with a configuration before anything that it names is imported."""

from typing import Any

from advx.config.claims import check_claims
from advx.config.documents import Composed
from advx.errors import ConfigError

LARGEST_SEED = 9_000_000_000_000
"""A millionfold, and an epoch's number on top (`epoch_seed`), it still is an int64."""

MOST_THREADS = 4096
"""Far more, and the system gives none."""

DATA = "advx.data."
"""How the targets of data sets begin."""

NEEDED = (
    "seeds",
    "scale",
    "device.name",
    "device.threads",
    "dataset._target_",
    "dataset.name",
    "trainer._target_",
    "trainer.name",
)
"""Keys that every run reads, and that a command line may have taken away."""


def check_plain(config: Composed) -> None:
    """Check what can be seen without importing anything that the configuration names.

    Raises:
        ConfigError: the first key with a value that cannot be.
    """
    for path in NEEDED:
        at: Any = config
        for part in path.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if at is None:
            raise ConfigError(f"{path}: not given, and every run needs it")
    config["seeds"] = check_seeds(config["seeds"])
    threads = config["device"]["threads"]
    if not _whole(threads):
        raise ConfigError(f"device.threads={threads}: a whole number from 1 is needed")
    if threads > MOST_THREADS:
        raise ConfigError(f"device.threads={threads}: more than {MOST_THREADS:,}")
    for key, node in config.items():
        made = str(node.get("_target_")) if isinstance(node, dict) else ""
        if key == "dataset" or made.startswith(DATA):
            _check_description(key, node)
    store = config.get("store", "")
    if not isinstance(store, str) or not store.strip():
        raise ConfigError(f"store={store}: a folder is needed, e.g. store=outputs/store")
    check_claims(config)


def _check_description(key: str, dataset: dict[str, Any]) -> None:
    """What a data set's YAML says of it: models take it from there, and would be named instead."""
    classes = dataset.get("classes", 1)
    if not _whole(classes):
        raise ConfigError(f"{key}.classes={classes}: a whole number from 1 is needed")
    shape = dataset.get("input_shape", [1])
    if not isinstance(shape, list) or not shape or not all(map(_whole, shape)):
        raise ConfigError(
            f"{key}.input_shape={shape}: a list of whole numbers from 1 is needed, e.g. [1,28,28]"
        )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def check_seeds(seeds: Any) -> list[int]:
    """Seeds must be distinct whole numbers from 0 to `LARGEST_SEED`, at least one."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        raise ConfigError(f"seeds={seeds}: a list is needed, e.g. seeds=[0,1,2]")
    if not seeds:
        raise ConfigError(f"seeds={seeds}: empty; name at least one, e.g. seeds=[0,1,2]")
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise ConfigError(f"seeds={seeds}: {seed!r} is not a whole number from 0")
        if seed > LARGEST_SEED:
            raise ConfigError(f"seeds={seeds}: {seed} is larger than {LARGEST_SEED:,}")
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"seeds={seeds}: each seed once, e.g. seeds=[0,1,2]")
    return list(seeds)
