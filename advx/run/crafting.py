"""Attacks pointed at models: what each receives, and the examples that it makes."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, get_args

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.gradient import hidden
from advx.attacks.own import as_attack
from advx.config.config import Config
from advx.config.identity import identified
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.masked import note_lost_gradients
from advx.evaluation.own_attacks import (
    Generators,
    note_draws,
    note_outside,
    note_unrepeated,
)
from advx.evaluation.transfer import craft, guides, target_classes
from advx.models.base import FittedClassifier
from advx.notes import Note, noting, pass_on
from advx.run.data import RunData
from advx.run.model import Model
from advx.run.named import Deferred
from advx.run.notices import Remarks, Seconds
from advx.types import DistanceName

COST = "attack.objective=training_cost"

WIDE = 10
"""Ranges of the images that a range of pixels may span before it looks like other units."""


class PointedAttack(Deferred[Attack]):
    """An attack on one model, with the model's training cost where the attack ascends that.

    Args:
        config: the attack's.
        source: the model that its gradients come from.
    """

    def __init__(self, config: Config, source: Model) -> None:
        self.config = config
        self.source = source

    @property
    def key(self) -> Any:
        return {"attack": identified(self.config.plain()), "on": self.source.key}

    @property
    def networks(self) -> frozenset[str]:
        return self.source.networks

    @cached_property
    def value(self) -> Attack:
        if self.config.get("objective") != "training_cost":
            return as_attack(self.config.build())
        recipe = self.source.recipe
        if not recipe.random:
            raise ConfigError(
                f"{COST}: {recipe.name} was not trained here with a cost; "
                "valid: log_odds, margin, cross_entropy"
            )
        defense = Config(recipe.defense)
        cost = getattr(defense.build(), "cost", None)
        if cost is None:
            raise ConfigError(
                f"{COST}: {defense.target_name} has no training cost of a single example; "
                "valid: log_odds, margin, cross_entropy"
            )
        return as_attack(self.config.build(training_cost=cost))


def refuse_targeted(config: Config, key: str) -> None:
    """Refuse an attack that aims at a class, where mistakes of any kind are counted.

    Args:
        config: the attack's.
        key: the node that it stands in, for the message.

    Raises:
        ConfigError: it aims at one.
    """
    if config.get("targeted"):
        raise ConfigError(
            f"{key}.targeted=True: mistakes of any kind are counted here; valid: false "
            "(experiment=transfer takes both)"
        )


class AttackBySize(Deferred[Callable[[float], Attack]]):
    """An attack on one model as a function of its ε, for a search of the smallest.

    Args:
        config: the attack's, with any ε or none.
        source: the model that its gradients come from.
    """

    def __init__(self, config: Config, source: Model) -> None:
        self.config = config
        self.source = source

    @property
    def key(self) -> Any:
        return {"at any epsilon": self.at(0.0).key}

    @property
    def networks(self) -> frozenset[str]:
        return self.source.networks

    @property
    def value(self) -> Callable[[float], Attack]:
        return lambda epsilon: self.at(epsilon).value

    def at(self, epsilon: float) -> PointedAttack:
        """The attack of one size."""
        return PointedAttack(self.config.with_(epsilon=epsilon), self.source)


class Crafted(Deferred[Split]):
    """The test examples after an attack on one model, with their own labels.

    Args:
        attack: on its model.
        examples: only so many test examples, evenly spaced; None for all.
        crafting: of the run.
    """

    def __init__(self, attack: PointedAttack, examples: int | None, crafting: "Crafting") -> None:
        self.attack = attack
        self.examples = examples
        self._crafting = crafting

    @property
    def key(self) -> Any:
        data = self._crafting.data
        test = {"examples": data.test(self.examples).fingerprint, "of": data.all.test.fingerprint}
        return self.attack.key | test

    @property
    def networks(self) -> frozenset[str]:
        return self.attack.networks

    @property
    def value(self) -> Split:
        return self._crafting.examples(self)


class Crafting:
    """Points attacks at models; one crafting model is attacked once for all targets.

    Args:
        data: of the run.
        seconds: where crafting is timed.
        remarks: where what an attack notes on its examples is said.
    """

    def __init__(self, data: RunData, seconds: Seconds, remarks: Remarks) -> None:
        self.data = data
        self.seconds = seconds
        self.remarks = remarks
        self._last: tuple[Any, Split, list[Note]] | None = None
        self._layers: set[tuple[str, str]] = set()  # of which models, known to be there

    def attack(self, config: Config, source: Model) -> PointedAttack:
        """An attack on a model, refused where it does not fit the model.

        Raises:
            ConfigError: its objective is the training cost, and the model has none; or it moves a
                layer that the model does not have.
        """
        layer = config.get("layer")
        if layer and (source.key, layer) not in self._layers:
            module = source.untrained()
            if not isinstance(module, FittedClassifier):
                hidden(module, self.data.all.test.images[:2], layer)
            self._layers.add((source.key, layer))
        attack = PointedAttack(config, source)
        _ = attack.value
        self._look_at_units(config)
        return attack

    def _look_at_units(self, config: Config) -> None:
        """Remark on an ε or a range of pixels in other units than the images', as 0 … 255."""
        low, high = self.range
        key, lie = config.path or "attack", f"the images lie in {low:.4g} … {high:.4g}"
        epsilon, clip = config.get("epsilon"), config.get("clip")
        norm: Any = config.get("norm", "linf")
        if isinstance(epsilon, int | float) and norm in get_args(DistanceName):
            across = norms.length(torch.full_like(self.data.all.test.images[:1], high - low), norm)
            if epsilon > across.item() > 0:
                text = f"{key}.epsilon={epsilon:g}: more than the whole range; {lie}"
                self.remarks.add(key, "epsilon", text)
        if clip and clip[1] - clip[0] > WIDE * (high - low) > 0:
            self.remarks.add(key, "clip", f"{key}.clip={[*clip]}: of other units? {lie}")

    @cached_property
    def range(self) -> tuple[float, float]:
        """The least and the largest pixel of the test images."""
        low, high = self.data.all.test.images.aminmax()
        return low.item(), high.item()

    def by_size(self, config: Config, source: Model) -> AttackBySize:
        """An attack on a model as a function of its ε."""
        return AttackBySize(config, source)

    def craft(self, config: Config, source: Model, examples: int | None = None) -> Crafted:
        """The test examples after an attack on a model; nothing is made yet."""
        return Crafted(self.attack(config, source), examples, self)

    def examples(self, crafted: Crafted) -> Split:
        """The examples themselves; the last ones are remembered, with what was noted on them."""
        key = crafted.key
        if self._last is None or self._last[0] != key:
            source = crafted.attack.source
            module, clean = source.value, self.data.test(crafted.examples)
            targets = self.targets(crafted.attack, crafted.examples)
            with (
                noting() as notes,
                self.seconds.timed("craft", f"{source.name}, seed {source.seed}"),
            ):
                made = self._crafted(crafted.attack, module, clean, targets)
            self._last = key, made, notes
        _, made, notes = self._last
        self.remarks.of_examples(notes)
        pass_on(notes)
        return made

    def _crafted(
        self, pointed: PointedAttack, module: nn.Module, clean: Split, targets: Tensor | None
    ) -> Split:
        """What an attack makes of examples, with notes on a user's own model or attack."""
        attack, config = pointed.value, pointed.config
        before = Generators(clean.images.device)
        made = craft(attack, module, clean, targets)
        if config.is_own:
            about = f"attack ({config.get('name') or config.target_name})"
            note_draws(about, before, len(clean))
            if not before.drawn_from():
                note_unrepeated(
                    about,
                    lambda: PointedAttack(config, pointed.source).value,
                    module,
                    clean,
                    targets,
                )
            epsilon = config.get("epsilon", getattr(attack, "epsilon", None))
            note_outside(about, attack, epsilon, clean, made)
        if pointed.source.config.is_own:
            note_lost_gradients(module, attack, clean, targets)
        return made

    def targets(self, attack: PointedAttack, examples: int | None = None) -> Tensor | None:
        """What the attack is to reach for every test example: classes, images, or nothing."""
        if attack.value.receives == "target_classes":
            return self.target_classes[self.data.rows(examples)]
        images = attack.value.receives == "guide_images"
        return self.guides[self.data.rows(examples)] if images else None

    def wanted(self, attack: PointedAttack, examples: int | None = None) -> Tensor | None:
        """The class that counts as its success with every test example; None for any mistake."""
        aims = attack.value.receives in ("target_classes", "guide_images")
        return self.target_classes[self.data.rows(examples)] if aims else None

    @cached_property
    def target_classes(self) -> Tensor:
        """For every test example the wrong class that a targeted attack is to reach."""
        return target_classes(self.data.all.test.labels, self.data.all.classes)

    @cached_property
    def guides(self) -> Tensor:
        """For every test example a test image of the class in `target_classes`."""
        test = self.data.all.test
        return test.images[guides(test.labels, self.target_classes)]
