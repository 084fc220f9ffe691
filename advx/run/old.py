"""The interface of `Run` before measurements were functions: gone when no experiment uses it."""

import logging
import math
from collections.abc import Callable
from typing import Any

import torch

from advx.attacks.strongest import STAGES
from advx.config.build import build
from advx.config.config import Config
from advx.config.identity import identified
from advx.data.dataset import Split
from advx.defenses.base import NO_DEFENSE
from advx.evaluation.slopes import vanished_share
from advx.evaluation.transfer import error_rate, predictions
from advx.evaluation.undefined import Note, answered, noting
from advx.run.checks import check_models
from advx.run.measure import EVALUATION_VERSION
from advx.run.models import Model
from advx.run.run import Run as NewRun
from advx.training.obtain import Recipe

log = logging.getLogger(__name__)


class Run(NewRun):
    """With the old methods."""

    @property
    def results(self):
        return self.table.results

    def check_models(self):
        check_models(self)

    def recipe(self, model, seed, **parts):
        node = self.config["models"][model] if isinstance(model, str) else model
        path = f"models.{model}" if isinstance(model, str) else node.get("name", "model")
        defaults = {"trainer": self.config["trainer"], "defense": NO_DEFENSE, "path": path}
        return Recipe(model=node, seed=seed, **(defaults | parts))

    def data_of(self, recipe):
        return self.source.part(recipe.part)

    def key(self, recipe):
        return self.models.key(recipe)

    def game_key(self, recipe, data=None):
        return self.models.game_key(recipe, data or self.data_of(recipe))

    def trained(self, recipe):
        return self.models.trained(recipe)

    def played(self, recipe, data=None):
        return self.models.played(recipe, data or self.data_of(recipe))

    def best_epoch(self, recipe):
        return self._kept(
            {"models": [self.key(recipe)], "of": "best epoch"},
            lambda: self.trained(recipe).best_epoch,
        )

    def untrained(self, recipe):
        return Model(recipe, self.models).untrained()

    def attack(self, node, crafting):
        if not isinstance(crafting, Recipe):
            return super().attack(node, crafting)
        return self.crafting.attack(Config(node, "attack"), Model(crafting, self.models)).value

    def tested(self, examples=None):
        return self.test(examples)

    def crafted(self, attack, crafting, examples=None):
        return self.craft(Config(attack), Model(crafting, self.models), examples).value

    def aims(self, attack):
        if getattr(attack, "targeted", False):
            return self.target_classes
        return self.guides if getattr(attack, "guided", False) else None

    @property
    def target_classes(self):
        return self.crafting.target_classes

    @property
    def guides(self):
        return self.crafting.guides

    @property
    def test_digest(self):
        return self.data.test.fingerprint

    def noting(self):
        return self.remarks.noting()

    def note(self, notes):
        self.remarks.undefined(notes)

    def remark(self, about, text):
        self.remarks.add(*about, text)

    def error_rate(
        self,
        victim: Recipe,
        attack: dict[str, Any] | None = None,
        *,
        crafting: Recipe | None = None,
        examples: int | None = None,
    ) -> float:
        """Error rate of a model over the test examples, in percent; kept in the store.

        Args:
            victim: the model that predicts.
            attack: the attack's node; None for clean examples.
            crafting: the model that the examples are crafted on; None for `victim` itself.
            examples: only so many test examples, evenly spaced; None for all.

        Returns:
            The rate; NaN where one of the models diverged.
        """
        if attack is None:
            content: dict[str, Any] = {"models": [self.key(victim)]}
        else:
            source = crafting or victim
            content = {"models": [self.key(r) for r in (source, victim)], "attack": attack}

        def measure() -> float:
            split = self.crafted(attack, source, examples) if attack else self.tested(examples)
            return error_rate(self.trained(victim).module, split)

        return self.measured(content, measure, examples)

    def broken_by(
        self, victim: Recipe, attack: dict[str, Any], examples: int | None = None
    ) -> dict[str, float]:
        """What the test examples fall to under `strongest` on the model itself; kept in the store.

        Returns:
            Percent of the examples by stage of the attack ("clean" for mistakes without one),
            and their sum, the error rate, under "all"; NaN where the model diverged.
        """

        def measure() -> dict[str, float]:
            module, test = self.trained(victim).module, self.tested(examples)
            with self.timed("craft", f"{victim.model['name']}, seed {victim.seed}"):
                moved, fell = build(attack).traced(module, test.images, test.labels)
            fell = fell[answered(module, predictions(module, moved))]
            counts = torch.bincount(fell + 1, minlength=len(STAGES) + 1)[1:].tolist()
            return {
                stage: 100 * count / len(fell) for stage, count in zip(STAGES, counts, strict=True)
            }

        content = {"models": [self.key(victim)], "attack": attack, "of": "stages"}
        broken = self.measured(content, measure, examples, missing=dict.fromkeys(STAGES, math.nan))
        return broken | {"all": sum(broken.values())}

    def vanished_share(self, crafting: Recipe, attack: dict[str, Any]) -> float:
        """Percent of the test examples where the attack's first gradient is exactly zero; kept.

        NaN where the model diverged.
        """

        def measure() -> float:
            objective = self.attack(attack, crafting).objective  # type: ignore[attr-defined]
            return vanished_share(self.trained(crafting).module, self.data.test, objective)

        content = {"models": [self.key(crafting)], "attack": attack, "of": "vanished gradients"}
        return self.measured(content, measure)

    def targeted_success_rate(
        self, victim: Recipe, attack: dict[str, Any], *, crafting: Recipe
    ) -> float:
        """Share of the test examples that `victim` gives the class aimed at, in percent; kept.

        NaN where one of the models diverged.
        """
        keys = [self.key(recipe) for recipe in (crafting, victim)]

        def measure() -> float:
            split = Split(self.crafted(attack, crafting).images, self.target_classes)
            return 100 - error_rate(self.trained(victim).module, split)

        return self.measured({"models": keys, "attack": attack, "success": "targeted"}, measure)

    def validation_error(self, recipe: Recipe) -> float:
        """The kept parameters' error rate on the validation set, in percent; NaN if it diverged."""
        content = {"models": [self.key(recipe)], "of": "validation error"}
        return self.measured(content, lambda: self.trained(recipe).validation_error)

    def measured(
        self,
        depends_on: dict[str, Any],
        measure: Callable[[], Any],
        examples: int | None = None,
        missing: Any = math.nan,
    ) -> Any:
        """A measurement (anything JSON can hold), kept in the store under what it depends on.

        Args:
            depends_on: the models' keys, and whatever else changes the value.
            measure: takes the measurement.
            examples: the number given to `tested`, where only a part of the test set is measured.
            missing: returned, and not kept, where a model that it needs diverged: that costs no
                other measurement.
        """
        return self.attempt(lambda: self._kept(depends_on, measure, examples), missing)

    def _kept(self, depends_on, measure, examples=None):
        content = {"evaluation_version": EVALUATION_VERSION, "test": self.test_digest, **depends_on}
        content |= {} if examples is None else {"evenly_spaced": examples}
        content = identified(content)
        stored = self.store.value(content)
        if stored is None:
            with noting() as notes:
                value = measure()
            self.store.save_value(content, value, notes)
            self.note(notes)
            return value
        self.note(Note(*each) for each in stored.notes)
        return stored.value

    def record(self, row, metric, value, *, seed, n=None, unit="percent", note=""):
        self.table._add(row, metric, value, seed, n, unit, note)

    def record_all(
        self, row: str, found: dict[str, float], units: dict[str, str], *, seed: int | None, n: int
    ) -> None:
        """Keep the numbers of one row, by metric; a metric without a unit is percent."""
        for metric, value in found.items():
            self.record(row, metric, value, seed=seed, n=n, unit=units.get(metric, "percent"))
