"""Names that have changed, and what they are now: one table for each kind of name.

What was typed, or written into a YAML file or a manifest, under a name of before means what it
meant. `moved.py` reads the tables.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from advx.config.documents import Composed, Node

CHOICES = {
    "trainer/pair/adam": "trainer/game/adam",
    "trainer/pair/published": "trainer/game/published",
    **{
        f"{group}/pictures/{scale}": f"{group}/cifar10_or_digits/{scale}"
        for group in ("dataset", "model", "trainer")
        for scale in ("smoke", "quick", "chapter")
    },
}
"""Files below `conf/`: group and choice."""

ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "advx.training.semi_supervised.SemiSupervisedTrainer": {
        "labelled": "labeled",
        "unlabelled_batch_size": "unlabeled_batch_size",
    },
    "advx.models.relu_batch_norm.BatchNormReLUNetwork": {"normalise_output": "normalize_output"},
}
"""Arguments, by the `_target_` that takes them."""

NAMES = {"pair_adam": "game_adam", "pair_published": "game_published"}
"""What the `name` of a part is."""


GROUPS = {"trainer/pair@coarse_trainer": ("trainer/game@coarse_trainer", ["laplacian_gan"])}
"""What chooses a part on the command line, and the experiments of advx that have it."""


def rename(config: Composed) -> list[str]:
    """Give a resolved configuration the names of today, in place.

    Returns:
        A remark on each key: its name of before, and that of today.
    """
    return list(_arguments(config, ""))


def _arguments(node: Node, path: str) -> Iterator[str]:
    """Rename the arguments of every part in a node, and the parts themselves."""
    if node.get("name") in NAMES and "_target_" in node:
        node["name"] = NAMES[node["name"]]
    for old, new in ARGUMENTS.get(str(node.get("_target_")), {}).items():
        yield from _rename(node, old, new, path)
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _arguments(value, f"{path}.{key}" if path else str(key))


def _rename(node: Node, old: str, new: str, path: str) -> Iterator[str]:
    """Rename one key of a node; what stands under the name of before wins."""
    if old in node:
        node[new] = node.pop(old)
        here = f"{path}." if path else ""
        yield f"{here}{old} has a new name: {here}{new}={node[new]}"


def groups(words: list[str]) -> list[str]:
    """The words of a command line, with the names of today for what chooses a part.

    An experiment of one's own may still list the part under its name of before.
    """
    experiments = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    made = []
    for word in words:
        key, equals, value = word.partition("=")
        new, known = GROUPS.get(key, (key, experiments))
        made.append(f"{new}{equals}{value}" if set(experiments) <= set(known) else word)
    return made


def choice(path: str) -> str:
    """Where a file below `conf/` lies now, if it lay at `path`; else `path`."""
    return CHOICES.get(path, path)


def group(path: str) -> set[str]:
    """The folders below `conf/` where the files of a folder of before lie now."""
    moved = (new for old, new in CHOICES.items() if old.rpartition("/")[0] == path)
    return {new.rpartition("/")[0] for new in moved}


def old_choices(choices: Mapping[str, Any]) -> Iterator[str]:
    """A remark on each choice under a name of before.

    Args:
        choices: by group, as Hydra lists them; a group may be followed by `@` and a place.
    """
    for group, chosen in choices.items():
        kind, at, place = group.partition("@")
        now = CHOICES.get(f"{kind}/{chosen}")
        if now is not None:
            yield f"{group}={chosen} has a new name: {_word(now, kind, at + place)}"


def _word(now: str, group: str, place: str) -> str:
    """A choice as the command line names it: `trainer@coarse_trainer=game/adam`."""
    root = group.partition("/")[0]
    return f"{root}{place}={now.removeprefix(root + '/')}"
