"""Names that have changed, and what they are now: one table for each kind of name.

What was typed, or written into a YAML file, a manifest or a table of a run, under a name of before
means what it meant. `moved.py` reads the tables for configurations.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from advx.config.cells import Cell
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

KEYS: Mapping[str, Mapping[str, str]] = {
    "attack": {"pictures": "saved_images"},
    "church_windows": {"pictures": "image_examples"},
    "gan_collapse": {"critic_steps": "fixed_generator_updates"},
    "gan_theory": {
        "critic_steps": "fixed_generator_updates",
        "critic_batch": "fixed_generator_batch_size",
    },
    "hidden_representation": {"judge": "evaluator"},
    "latent_arithmetic": {"probe": "evaluator", "probe_trainer": "evaluator_trainer"},
    "transfer_table": {"readings": "protocols"},
}
"""Top-level keys, by the module of `advx.experiments` whose `main` takes them."""

OLD_MODEL_KEYS = ("judge", "probe")
"""Of these, where an experiment of one's own may still have a model."""

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

ROWS = {
    "training pictures": "training images",
    "validation pictures": "validation images",
    "enlarged real pictures": "enlarged real images",
    "finest level on real pictures": "finest level on real images",
    "k-means centres": "k-means centers",
    "labelled only": "labeled only",
    "features of a D that has not played": "features of an untrained D",
    "probe": "evaluator",
}
"""Rows of the experiments of advx."""

METRICS = {
    "sure": "confident_rate",
    "sureness": "confidence",
    "warned_sureness": "warned_confidence",
    "alike": "agreement",
    "answer_error": "discriminator_error",
    "mean_answer": "mean_output",
    "loosened": "relaxed",
    "vanished_gradients": "zero_gradient_rate",
    "fgsm_vanished_gradients": "fgsm_zero_gradient_rate",
}
"""Metrics of the experiments of advx."""

EXPERIMENTS = "advx.experiments."
NAMED = re.compile(r"`([^`]*)`(?:\.(\w+))?")
"""A cell in a predicate: its row and, where it is given, its metric."""


def rename(config: Composed) -> list[str]:
    """Give a resolved configuration the names of today, in place.

    Returns:
        A remark on each key: its name of before, and that of today.
    """
    remarks: list[str] = []
    main = str(config.get("main"))
    if main.startswith(EXPERIMENTS):
        for old, new in KEYS.get(main.removeprefix(EXPERIMENTS).partition(".")[0], {}).items():
            remarks += _rename(config, old, new, "")
        for row in config.get("rows") or []:
            _rename_row(row)
        for claim in config.get("claims") or []:
            if isinstance(claim, dict) and isinstance(claim.get("predicate"), str):
                claim["predicate"] = predicate(claim["predicate"])
    return [*remarks, *_arguments(config, "")]


def _rename(node: Node, old: str, new: str, path: str) -> Iterator[str]:
    """Rename one key of a node; what stands under the name of before wins."""
    if old not in node:
        return
    value, here = node.pop(old), f"{path}." if path else ""
    text = "…" if isinstance(value, dict) else value
    node[new] = _joined(node[new], value) if new in node else value
    yield f"{here}{old} has a new name: {here}{new}={text}"


def _joined(base: Any, changes: Any) -> Any:
    """One value over another one, key by key where both have keys."""
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return base | {key: _joined(base.get(key), value) for key, value in changes.items()}


def _rename_row(row: Any) -> None:
    """Rename the row and the metric of an entry of `rows`."""
    if isinstance(row, dict):
        if isinstance(row.get("row"), str):
            row["row"] = _row(row["row"])
        if isinstance(row.get("metric"), str):
            row["metric"] = METRICS.get(row["metric"], row["metric"])


def _arguments(node: Node, path: str) -> Iterator[str]:
    """Rename the arguments of every part in a node, and the parts themselves."""
    if isinstance(node.get("name"), str) and "_target_" in node:
        node["name"] = NAMES.get(node["name"], node["name"])
    for old, new in ARGUMENTS.get(str(node.get("_target_")), {}).items():
        yield from _rename(node, old, new, path)
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _arguments(value, f"{path}.{key}" if path else str(key))


def predicate(text: str) -> str:
    """A predicate with the rows and metrics of today."""

    def today(match: re.Match[str]) -> str:
        row, metric = match.groups()
        named = "" if metric is None else f".{METRICS.get(metric, metric)}"
        return f"`{_row(row)}`{named}"

    return NAMED.sub(today, text)


def _row(row: str) -> str:
    """A row's name of today; that of an image of one's own follows the model's."""
    return ROWS.get(row, re.sub(", the picture$", ", the image", row))


def cell(cell: Cell, config: Composed) -> Cell:
    """A cell in the tables of a run with this configuration, under its name of today."""
    if not str(config.get("main")).startswith(EXPERIMENTS):
        return cell
    metric = METRICS.get(cell.metric, cell.metric)
    return Cell(_row(cell.row), metric, cell.epsilon, cell.setting)


def groups(words: list[str]) -> list[str]:
    """The words of a command line, with the names of today for what chooses a part.

    Words for an experiment of one's own stay as they are: it may list the part under its name of
    before.
    """
    chosen = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
    experiments = [name for names in chosen for name in names.split(",")]
    if not all(map(_is_advx, experiments)):
        return words
    made = []
    for word in words:
        key, equals, value = word.partition("=")
        made.append(f"{group(key, experiments)}{equals}{value}" if "@" in key else word)
    return made


def group(key: str, experiments: list[str]) -> str:
    """The name of today for what chooses a part: `model@judge` is `model@evaluator`."""
    kind, at, place = key.partition("@")
    first, dot, rest = place.partition(".")
    for name in experiments:
        first = KEYS.get(name, {}).get(first, first)
    return f"{kind.replace('trainer/pair', 'trainer/game')}{at}{first}{dot}{rest}"


def _is_advx(experiment: str) -> bool:
    """Whether an experiment is one of advx's."""
    return (files("advx.conf") / "experiment" / f"{experiment}.yaml").is_file()


def choice(path: str) -> str:
    """Where a file below `conf/` lies now, if it lay at `path`; else `path`."""
    return CHOICES.get(path, path)


def folders(path: str) -> set[str]:
    """The folders below `conf/` where the files of a folder of before lie now."""
    moved = (new for old, new in CHOICES.items() if old.rpartition("/")[0] == path)
    return {new.rpartition("/")[0] for new in moved}


def old_choices(choices: Mapping[str, Any]) -> Iterator[str]:
    """A remark on each choice under a name of before.

    Args:
        choices: by group, as Hydra lists them; a group may be followed by `@` and a place.
    """
    for name, chosen in choices.items():
        kind, at, place = name.partition("@")
        now = CHOICES.get(f"{kind}/{chosen}")
        if now is not None:
            root = kind.partition("/")[0]
            new = f"{root}{at}{place}={now.removeprefix(root + '/')}"
            yield f"{name}={chosen} has a new name: {new}"
