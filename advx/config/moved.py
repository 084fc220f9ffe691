"""Keys that have moved or have a new name: typed as before, their values go where they are now.

A trainer's rates and momenta are its optimizer's, what a game's loss is and how often a player
moves is the game's; `renamed.py` lists the new names. The words of a command line are let through
as they were typed; the composed configuration is then put right, also where a YAML of one's own has
the keys.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from advx.config import renamed as names
from advx.config.documents import Composed, Node

OF_THE_OPTIMIZER = (
    "learning_rate",
    "learning_rate_divisor",
    "learning_rate_floor",
    "momentum",
    "final_momentum",
    "momentum_epochs",
    "final_share",
    "decay_epochs",
    "decay",
    "beta1",
    "beta2",
)
OF_A_PLAYER = {"generator_rate": "generator", "discriminator_rate": "discriminator"}
OF_THE_GAME = ("discriminator_steps", "updates", "loss", "blend")
MOVED = {*OF_THE_OPTIMIZER, *OF_A_PLAYER, *OF_THE_GAME}

SGD = {
    "_target_": "advx.training.optimizers.SGD",
    "learning_rate": 0.1,
    "learning_rate_divisor": 1.000004,
    "learning_rate_floor": 1e-6,
    "momentum": 0.5,
    "final_momentum": 0.7,
    "momentum_epochs": 250,
}
LINEAR_DECAY = {
    "_target_": "advx.training.optimizers.LinearDecay",
    "learning_rate": 0.17,
    "final_share": 0.01,
    "decay_epochs": 500,
    "momentum": 0.5,
    "final_momentum": 0.6,
    "momentum_epochs": 250,
}
ADAM = {
    "_target_": "advx.training.optimizers.Adam",
    "learning_rate": 0.001,
    "decay": 1.0,
    "beta1": 0.9,
    "beta2": 0.999,
}


@dataclass(frozen=True)
class Now:
    """What a trainer of before is now: its class, its optimizer, and what its other defaults were.

    Of a game's trainer these are also the rates of the two players.
    """

    name: str
    optimizer: Node
    others: Node = field(default_factory=dict)


GAME = {"patience": None, "discriminator_steps": 1, "loss": "non_saturating", "blend": 0.5}
BEFORE = {
    "trainer.Trainer": Now("trainer.Trainer", SGD),
    "adam.AdamTrainer": Now("trainer.Trainer", ADAM, {"patience": 20}),
    "linear_decay.LinearDecayTrainer": Now("trainer.Trainer", LINEAR_DECAY, {"batch_size": 128}),
    "semi_supervised.SemiSupervisedTrainer": Now(
        "semi_supervised.SemiSupervisedTrainer", ADAM | {"learning_rate": 0.002, "decay": 0.9}
    ),
    "pair.PairTrainer": Now(
        "game_trainer.GameTrainer",
        ADAM | {"learning_rate": 2e-4, "beta1": 0.5},
        GAME | {"updates": "alternating", "generator_rate": 2e-4, "discriminator_rate": 2e-4},
    ),
    "pair_sgd.SGDPairTrainer": Now(
        "game_trainer.GameTrainer",
        SGD,
        GAME
        | {"updates": "simultaneous", "generator_rate": 0.1, "discriminator_rate": 0.05}
        | {"batch_size": 100, "max_epochs": 100},
    ),
}
"""Trainers of before, below `advx.training`."""

PACKAGE = "advx.training."
TRAINER = r"(?:\w+_)?trainer|trainers\.\w+"
ARGUMENT, KEY = (
    "|".join(sorted({old for each in table.values() for old in each}))
    for table in (names.ARGUMENTS, names.KEYS)
)
OLD = (
    rf"(?:{TRAINER})\.(?:{'|'.join(sorted(MOVED))})",
    rf"[\w.]+\.(?:{ARGUMENT})",
    rf"(?:{KEY})(?:\.[\w.]+)?",
)
TYPED = re.compile(rf"\+{{0,2}}((?:{'|'.join(OLD)})=.*)", re.DOTALL)
"""A word with a key that has moved, or with an argument or a top-level key of before."""


def typed(words: list[str]) -> list[str]:
    """The words of a command line; those with a key of before add it where it was."""
    words = names.groups(words)
    return [f"++{match[1]}" if (match := TYPED.fullmatch(word)) else word for word in words]


def put_right(config: Composed) -> list[str]:
    """Move what stands where it was read before, in place.

    Args:
        config: the resolved configuration, of this run or of a finished one.

    Returns:
        A remark on each key: where it was, and where it is.
    """
    remarks = names.rename(config)
    for path, node in list(_trainers(config)):
        given, renamed = set(node), _name_anew(node)
        for key in [key for key in node if key in MOVED]:
            places = list(_places(config, path, node, key))
            if not places and not renamed:
                continue
            value = node.pop(key)
            for here, inner, name in places:
                inner[name] = value
                if key in given:
                    remarks.append(f"{path}.{key} has moved: {here}={value}")
        if renamed:
            _one_rate(node)
    return remarks


def _trainers(config: Composed) -> Iterator[tuple[str, Node]]:
    """Every trainer's node, with its path."""
    several = config.get("trainers")
    paths = dict(config) | {
        f"trainers.{name}": node
        for name, node in (several if isinstance(several, dict) else {}).items()
    }
    for path, node in paths.items():
        if re.fullmatch(TRAINER, path) and isinstance(node, dict) and "_target_" in node:
            yield path, node


def _name_anew(node: Node) -> bool:
    """Give a trainer's node of before the class of today, and its optimizer; whether it was one."""
    now = BEFORE.get(str(node["_target_"]).removeprefix(PACKAGE))
    if now is None or "optimizer" in node:
        return False
    if node["_target_"] == PACKAGE + now.name and not MOVED & set(node):
        return False  # of today, and its optimizer left out
    node["_target_"] = PACKAGE + now.name
    node["optimizer"] = dict(now.optimizer)
    for key, value in now.others.items():
        node.setdefault(key, value)
    return True


def _one_rate(node: Node) -> None:
    """Write the generator's rate as that of all players, and the discriminator's where it differs.

    So it stands in `conf/trainer/game/`.
    """
    rates = node.get("optimizers", {})
    if "generator" in rates:
        node["optimizer"]["learning_rate"] = rates["generator"]["learning_rate"]
    for changes in rates.values():
        if changes["learning_rate"] == node["optimizer"]["learning_rate"]:
            changes["learning_rate"] = None


def _places(config: Composed, path: str, node: Node, key: str) -> Iterator[tuple[str, Node, str]]:
    """Where a trainer's key is read now: its path, and the dictionary and name of its value."""
    if key in OF_THE_GAME:
        for here, game in _games(config, path):
            yield f"{here}.{key}", game, key
    elif isinstance(node.get("optimizer"), dict):
        player = OF_A_PLAYER.get(key)
        if player is None:
            yield f"{path}.optimizer.{key}", node["optimizer"], key
        else:
            of_player = node.setdefault("optimizers", {}).setdefault(player, {})
            yield f"{path}.optimizers.{player}.learning_rate", of_player, "learning_rate"


def _games(config: Composed, path: str) -> Iterator[tuple[str, Node]]:
    """The games that a trainer trains."""
    candidates = dict(config) | {f"games.{k}": v for k, v in (config.get("games") or {}).items()}
    trainers = dict(_trainers(config))
    for here, node in candidates.items():
        if here in trainers or not isinstance(node, dict) or not _is_game(node):
            continue
        own = f"trainers.{here[6:]}" if here.startswith("games.") else f"{here}_trainer"
        if own == path or (path == "trainer" and own not in trainers):
            yield here, node


def _is_game(node: Node) -> bool:
    return "discriminator_steps" in node or str(node.get("_target_")).startswith("advx.games.")
