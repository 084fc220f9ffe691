"""What an experiment is handed: its data, its models, its attack, and a place for its rows."""

import json
import logging
import math
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advx.attacks.gradient import hidden
from advx.attacks.own import guarded
from advx.attacks.strongest import STAGES
from advx.config.build import build, target
from advx.config.chapter import departures
from advx.config.check import check_keywords, check_node, check_plain
from advx.config.claims import listed_cell
from advx.config.declared import check_declared
from advx.config.identity import identified, own_code
from advx.config.old_names import cell_of
from advx.data.dataset import Dataset, Split
from advx.data.own import usable
from advx.data.stacked_mnist import first_digits
from advx.defenses.base import NO_DEFENSE
from advx.errors import ConfigError, Diverged, reason
from advx.evaluation.own_models import EXAMPLES, habits, require_slope
from advx.evaluation.slopes import vanished_share
from advx.evaluation.transfer import Attack, craft, error_rate, guides, predictions, target_classes
from advx.evaluation.undefined import NAMES, Note, answered, noting
from advx.games.watch import LIMITS, lasting
from advx.memory import resident_peak
from advx.models.base import Fitted, is_differentiable
from advx.packages import packages
from advx.progress import ModelBar
from advx.report.conclusions import conclude, write_conclusions
from advx.report.results import Results, Row, append_result, csv_text, table, write_results
from advx.run_folder import stamps
from advx.store.store import Store, key_of
from advx.text_files import write_text
from advx.training.construct import construct, refuse_single_examples
from advx.training.obtain import DataPart, Recipe, Trained, model_key, needed, obtain
from advx.training.pair import GameProgress
from advx.training.play import Played, game_key, new_game, play, refuse_single_pairs

log = logging.getLogger(__name__)

COMMON_KEYS = (
    "experiment", "title", "main", "scale", "seeds", "dataset", "data_dir", "device", "trainer",
    "store", "rows", "claims", "deviations",
)  # fmt: skip
"""Top-level keys that every experiment has; its own are the parameters of its `main`."""

EVALUATION_VERSION = 2
"""Raised by hand whenever a measurement comes to mean something else, and when a fix changes a
gradient that attacks follow: kept rows are then redone."""

MODEL_KEYS = ("models", "model", "crafting", "target", "judge", "probe", "substitute")
"""Top-level keys under which models stand."""

GAME_KEYS = ("game", "games")
"""Top-level keys under which games between two networks stand."""

MODELS_IN_MEMORY = 16
"""Trained models that a run holds at once; older ones are read from the store again."""

PARTS: dict[DataPart, Callable[[Dataset], Dataset]] = {
    "training examples": lambda data: data,
    "training and validation examples": Dataset.merged,
    "first half": lambda data: data.half(0),
    "second half": lambda data: data.half(1),
    "half as large": lambda data: data.shrunk(2),
    "a quarter as large": lambda data: data.shrunk(4),
    "the first digits": first_digits,
}
"""What a recipe's model may be trained on; the test examples are the same for all."""

UNLIMITED_EPOCHS = 350
"""Epochs that the progress bar expects of a trainer without a limit."""


class Run:
    """One run of one experiment.

    Args:
        config: the resolved configuration, a plain dictionary.
        folder: where the run contract's files are written.
        command: the command that made this run, for its manifest.
    """

    def __init__(self, config: dict[str, Any], folder: Path, command: str) -> None:
        self.config = config
        self.folder = folder
        self.command = command
        self.seeds: list[int] = config["seeds"]
        self.results = Results(config["experiment"])
        self.store = Store(config["store"])
        self.device = torch.device(pick_device(config["device"]["name"]))
        self.models: dict[str, str] = {}  # names by store key
        self.seconds: dict[tuple[str, str], float] = {}
        self._bar = ModelBar()
        self._trained: dict[str, Trained | Diverged] = {}
        self._played: dict[str, Played | Diverged] = {}
        self._crafted: tuple[str, Split] | None = None
        self._parts: dict[DataPart, Dataset] = {}
        self._departures = departures(config)  # now: the YAML may be edited while the run lasts
        self._layers: set[tuple[str, str]] = set()  # of which models, known to be there
        self.remarks: dict[tuple[str, str], str] = {}  # by what they are about and their kind
        self._chapter = {listed_cell(row): row for row in config.get("rows") or []}
        main = {"_target_": config.get("main") or "advx"}
        self._own_experiment = {"experiment": main} if is_own(main) else {}
        self._stamps = stamps(folder)
        torch.set_num_threads(config["device"]["threads"])

    @cached_property
    def data(self) -> Dataset:
        """The run's data set, on its device."""
        with self.timed("load", self.config["dataset"]["name"]):
            node = {
                k: v
                for k, v in self.config["dataset"].items()
                if k not in ("input_shape", "classes")
            }
            made = build(node)
            return (usable(made, node["_target_"]) if is_own(node) else made).to(self.device)

    @cached_property
    def test_digest(self) -> str:
        """Identifies the test examples."""
        return self.data.test.digest()[:16]

    def recipe(self, model: str | dict[str, Any], seed: int, **parts: Any) -> Recipe:
        """The recipe of a model of the bag (by name) or of a model node, for one seed."""
        node = self.config["models"][model] if isinstance(model, str) else model
        path = f"models.{model}" if isinstance(model, str) else node.get("name", "model")
        defaults = {"trainer": self.config["trainer"], "defense": NO_DEFENSE, "path": path}
        return Recipe(model=node, seed=seed, **(defaults | parts))

    def check_models(self) -> None:
        """Refuse a model that does not fit the data, or the user's weights, before any training.

        Raises:
            ConfigError: the first model that cannot be used, and why.
        """
        for path, node in nodes(self.config):
            if path.split(".")[0] in GAME_KEYS:
                self._refuse_no_data(path)
                self._refuse_other_shape()
                trainer = self.config.get(f"{path}_trainer", self.config["trainer"])
                recipe = self.recipe(node, self.seeds[0], path=path, trainer=trainer)
                refuse_single_pairs(recipe, new_game(recipe, self.data), self.data)
            if path.split(".")[0] in MODEL_KEYS and not stands_alone(node):
                trainer = self.config.get(f"{path}_trainer", self.config["trainer"])
                recipe = self.recipe(node, self.seeds[0], path=path, trainer=trainer)
                if not node.get("weights"):
                    self._refuse_no_data(f"{path}.weights=null")
                module = construct(recipe, self.data)
                if recipe.random:
                    defense = self.config.get("defense")
                    build(recipe.trainer).check(self.data, build(defense) if defense else None)
                    single = replace(recipe, defense=defense) if defense else recipe
                    refuse_single_examples(single, module, self.data)
                if node.get("weights"):
                    module = obtain(recipe, self.data, self.store).module
                if not isinstance(module, Fitted):  # not yet fitted: once it is
                    self.examine(recipe, module, path in ("crafting", "model"))

    def examine(self, recipe: Recipe, module: nn.Module, attacked: bool = False) -> None:
        """Try a model of a user's own on a few images; what a reader must be told is remarked.

        Args:
            recipe: the model's.
            module: it, trained or not.
            attacked: whether a gradient is needed.

        Raises:
            AdvxError: it returns probabilities, or has no gradient.
        """
        if not is_own(recipe.model):
            return
        test = self.data_of(recipe).test
        images = test.take(test.spaced(EXAMPLES)).images
        name = f"{recipe.path} ({recipe.name})"
        device = next((p.device for p in module.parameters()), images.device)
        try:
            found = habits(module, images.to(device), name)
        except ConfigError as error:
            if recipe.path != "target" or recipe.random:
                raise
            found = {"probabilities": f"{error}: of a target only the class is asked for"}
        for kind, text in found.items():
            self.remark((name, kind), text)
        if attacked:
            require_slope(module, images.to(device))

    def remark(self, about: tuple[str, str], text: str) -> None:
        """Say something that a reader of the numbers must know: in the log and in the summary.

        Args:
            about: what it is about, and its kind; it is said once.
            text: one line.
        """
        if about not in self.remarks:
            log.warning("%s", text)
            self.remarks[about] = text

    def _refuse_no_data(self, wants: str) -> None:
        if len(self.data.train) == 0:
            raise ConfigError(
                f"{wants}: dataset={self.data.name} has nothing to train on; set "
                "dataset.training_share=0.8, or name a model's weights (a state_dict saved with "
                "torch.save)"
            )

    def _refuse_other_shape(self) -> None:
        told, found = self.config["dataset"].get("input_shape"), list(self.data.input_shape)
        if told is not None and told != found:
            raise ConfigError(
                f"dataset.input_shape={told}: the images are {found}; "
                f"set dataset.input_shape={found}"
            )

    def data_of(self, recipe: Recipe) -> Dataset:
        """What the model of a recipe is trained on: the part of the data set that it names."""
        if recipe.part not in self._parts:
            self._parts[recipe.part] = PARTS[recipe.part](self.data)
        return self._parts[recipe.part]

    def trained(self, recipe: Recipe) -> Trained:
        """The trained model of a recipe: remembered, from the store, or trained now.

        Raises:
            Diverged: its training failed.
        """
        key = self.key(recipe)
        if key not in self._trained:
            try:
                made: Trained | Diverged = self._obtain(recipe)
            except Diverged as error:
                made = named(recipe, error)
            while len(self._trained) >= MODELS_IN_MEMORY:
                self._trained.pop(next(iter(self._trained)))
            self._trained[key] = made
        made = self._trained[key]
        if isinstance(made, Diverged):
            raise made
        return made

    def key(self, recipe: Recipe) -> str:
        """Names the model of a recipe without making it; noted for the manifest."""
        key = model_key(recipe, self.data_of(recipe))
        self.models[key] = f"{recipe.name}, seed {recipe.seed}"
        return key

    def game_key(self, recipe: Recipe, data: Dataset | None = None) -> str:
        """Names the game of a recipe without playing it; noted for the manifest.

        Args:
            recipe: the game's.
            data: that it is played on, where they are not the run's.
        """
        key = game_key(recipe, data or self.data_of(recipe))
        self.models[key] = f"{recipe.name}, seed {recipe.seed}"
        return key

    def played(self, recipe: Recipe, data: Dataset | None = None) -> Played:
        """The game of a recipe: remembered, from the store, or played now.

        Args:
            recipe: the game's.
            data: that it is played on, where they are not the run's.

        Raises:
            Diverged: one of its losses became NaN.
        """
        key = self.game_key(recipe, data)
        if key not in self._played:
            try:
                self._played[key] = self._play(recipe, data or self.data_of(recipe))
            except Diverged as error:
                self._played[key] = named(recipe, error)
        made = self._played[key]
        if isinstance(made, Diverged):
            raise made
        return made

    def _play(self, recipe: Recipe, data: Dataset) -> Played:
        """From the store, or played now with the bar advancing."""
        name, limit = f"{recipe.name}, seed {recipe.seed}", recipe.trainer["max_epochs"]
        seen: set[str] = set()
        with self._bar.model(name, limit) as show:

            def on_epoch(progress: GameProgress) -> None:
                last = progress.history[-1]
                for flag in lasting(progress.history):
                    if flag not in seen:
                        seen.add(flag)
                        log.warning("%s, epoch %d: %s (%s %.2f)", name, progress.epoch,
                                    LIMITS[flag].meaning, flag, last[flag])  # fmt: skip
                losses = f"D {last['discriminator_loss']:.3f}, G {last['generator_loss']:.3f}"
                show(progress.epoch, losses)

            made = play(recipe, data, self.store, on_epoch)
        for flag in made.warnings:
            if flag["at_the_end"]:
                log.warning("%s, at the end: %s", name, flag["meaning"])
        return made

    def best_epoch(self, recipe: Recipe) -> int:
        """The epoch with the smallest validation error; kept in the store.

        Raises:
            Diverged: the model's training failed.
        """
        content = {"models": [self.key(recipe)], "of": "best epoch"}
        return self._kept(content, lambda: self.trained(recipe).best_epoch)

    def _obtain(self, recipe: Recipe) -> Trained:
        """From the store, or trained now with the bar advancing; first what it is made of."""
        if self.store.meta(self.key(recipe)) is None:
            for each in needed(recipe):
                self.trained(each)
        limit = recipe.trainer.get("max_epochs") or UNLIMITED_EPOCHS
        name, share = f"{recipe.name}, seed {recipe.seed}", int(recipe.random)
        with self._bar.model(name, limit, share) as show:
            if is_own(recipe.model) and recipe.random:
                self.examine(recipe, self.untrained(recipe))
            made = obtain(recipe, self.data_of(recipe), self.store, lambda p: show(p.epoch, ""))
        NAMES[made.module] = f"{recipe.path} ({recipe.name})" + (
            f", seed {recipe.seed}" if recipe.random else ""
        )
        self.examine(recipe, made.module)
        return made

    def untrained(self, recipe: Recipe) -> nn.Module:
        """The network of a recipe before its training, for what can be refused then."""
        return construct(recipe, self.data_of(recipe)).to(self.device)

    def attack(self, node: dict[str, Any], crafting: Recipe) -> Attack:
        """The attack of a node, pointed at a model of the recipe `crafting`.

        Raises:
            ConfigError: its objective is the training cost, and the model has none; or it moves a
                layer that the model does not have.
        """
        layer = node.get("layer")
        if layer and (self.key(crafting), layer) not in self._layers:
            module = self.untrained(crafting)
            if not isinstance(module, Fitted):
                hidden(module, self.data.test.images[:2], layer)
            self._layers.add((self.key(crafting), layer))
        if node.get("objective") != "training_cost":
            return guarded(build(node))
        if not crafting.random:
            raise ConfigError(
                f"attack.objective=training_cost: {crafting.model['name']} was not trained here "
                "with a cost; valid: log_odds, margin, cross_entropy"
            )
        cost = getattr(build(crafting.defense), "cost", None)
        if cost is None:
            raise ConfigError(
                f"attack.objective=training_cost: {crafting.defense['_target_'].split('.')[-1]} "
                "has no training cost of a single example; valid: log_odds, margin, cross_entropy"
            )
        return guarded(build(node, training_cost=cost))

    def tested(self, examples: int | None = None) -> Split:
        """The test examples, or so many of them, evenly spaced."""
        test = self.data.test
        return test if examples is None else test.take(test.spaced(examples))

    def crafted(
        self,
        attack: dict[str, Any],
        crafting: Recipe,
        examples: int | None = None,
    ) -> Split:
        """The test examples after `attack` on the model of `crafting`, with their own labels.

        A targeted attack is given `target_classes`, one with the attribute `guided` the `guides`.
        The last split is remembered, so that one crafting model is attacked once for all targets.
        """
        key = key_of({"model": self.key(crafting), "attack": attack, "examples": examples})
        if self._crafted is None or self._crafted[0] != key:
            search = self.attack(attack, crafting)
            aims = self.aims(search)
            if aims is not None and examples is not None:
                aims = aims[self.data.test.spaced(examples)]
            source = self.trained(crafting).module
            with self.timed("craft", f"{crafting.model['name']}, seed {crafting.seed}"):
                made = craft(search, source, self.tested(examples), aims)
            self._crafted = key, made
        return self._crafted[1]

    def aims(self, attack: Attack) -> Tensor | None:
        """What the attack is to reach for every test example: classes, images, or nothing."""
        if getattr(attack, "targeted", False):
            return self.target_classes
        return self.guides if getattr(attack, "guided", False) else None

    @cached_property
    def target_classes(self) -> Tensor:
        """For every test example the wrong class that a targeted attack aims at."""
        return target_classes(self.data.test.labels, self.data.classes)

    @cached_property
    def guides(self) -> Tensor:
        """For every test example a test image of the class that `target_classes` aims at."""
        return self.data.test.images[guides(self.data.test.labels, self.target_classes)]

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

    def _kept(
        self, depends_on: dict[str, Any], measure: Callable[[], Any], examples: int | None = None
    ) -> Any:
        """A measurement, from the store or taken now.

        Raises:
            Diverged: a model that it needs could not be trained.
        """
        content = {"evaluation_version": EVALUATION_VERSION, "test": self.test_digest, **depends_on}
        content |= {} if examples is None else {"evenly_spaced": examples}
        content = identified(content | self._own_experiment)
        stored = self.store.rows(content)
        if stored is None:
            with noting() as notes:
                value = measure()
            stored = {"value": value, "undefined": notes} if notes else value
            self.store.save_rows(content, stored)
        if isinstance(stored, dict) and set(stored) == {"value", "undefined"}:
            self.note(Note(*each) for each in stored["undefined"])
            return stored["value"]
        return stored

    @contextmanager
    def noting(self) -> Iterator[None]:
        """What is measured inside may leave a few examples out, which the summary then says."""
        with noting() as notes:
            yield
        self.note(notes)

    def note(self, notes: Iterable[Note]) -> None:
        """Remark how many examples a measurement left out."""
        for each in notes:
            self.remark((each.model, f"{each.undefined} of {each.examples}"), str(each))

    def record(
        self,
        row: str,
        metric: str,
        value: float,
        *,
        seed: int | None,
        n: int | None = None,
        unit: str = "percent",
        note: str = "",
        epsilon: float | None = None,
        setting: str = "",
    ) -> None:
        """Keep one number, with the chapter's figure where the YAML lists one for its cell.

        Args:
            row: what was measured.
            metric: which number of it.
            value: the number; NaN where training diverged.
            seed: None for a number without randomness.
            n: the examples behind it.
            unit: its unit.
            note: stands beside its line in the summary.
            epsilon: size of the perturbation, where it varies.
            setting: whatever else varies (`advx.config.cells.setting`).
        """
        cell = cell_of(row, metric, epsilon, setting)
        listed = self._chapter.get(cell, {})
        number = Row.of(self.results.experiment, cell, seed, value, unit, n, listed)
        self.results.add(number, note or listed.get("note", ""))
        if len(self.results.rows) == 1:
            write_results(self.folder, self.results)
        else:
            append_result(self.folder, number)

    def record_all(
        self, row: str, found: dict[str, float], units: dict[str, str], *, seed: int | None, n: int
    ) -> None:
        """Keep the numbers of one row, by metric; a metric without a unit is percent."""
        for metric, value in found.items():
            self.record(row, metric, value, seed=seed, n=n, unit=units.get(metric, "percent"))

    @contextmanager
    def progress(self, models: int) -> Iterator[None]:
        """One bar over the training of `models` models; a line each where there is no terminal."""
        self._bar = ModelBar(models)
        try:
            yield
        finally:
            self._bar.close()
            self._bar = ModelBar()

    def attempt(self, work: Callable[[], Any], otherwise: Any = None) -> Any:
        """`work()`, or `otherwise` where a model it needs diverged."""
        try:
            return work()
        except Diverged as error:
            log.warning("diverged: %s", error)
            return otherwise

    @contextmanager
    def timed(self, phase: str, row: str) -> Iterator[None]:
        """Add the seconds spent inside to `timing.csv`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[phase, row] = self.seconds.get((phase, row), 0.0) + spent

    def finish(self, failed: str = "") -> None:
        """Write every file of the contract and print the table.

        What was measured is written before anything is concluded from it: an error in a conclusion
        loses no number.

        Args:
            failed: why the run did not reach its end; nothing is judged then.
        """
        for key, trained in self._training().items():
            self.seconds["train", f"{trained['model']}, {key}"] = trained["seconds"]
        write_results(self.folder, self.results)
        timing = [[phase, row, round(spent, 3)] for (phase, row), spent in self.seconds.items()]
        write_text(self.folder / "timing.csv", csv_text(["phase", "row", "seconds"], timing))
        write_text(self.folder / "manifest.json", json.dumps(self.manifest(), indent=1) + "\n")
        drawn = conclude(self.results, self.config, self._departures, failed)
        for limit in drawn.missing if self.config["scale"] == "chapter" else []:
            log.warning(limit)  # smaller scales leave rows out on purpose
        write_conclusions(self.folder, drawn, self.heading(), list(self.remarks.values()))
        print(f"\n{self.heading()}\n\n{table(drawn.lines)}\n")
        for text in self.remarks.values():
            print(f"remark: {text}")
        for outcome in drawn.outcomes:
            print(f"{outcome.holds:>12} ({outcome.seeds} seeds)  {outcome.claim}")
        for limit in drawn.limits:
            print(f"\n{limit}")
        print(f"\nfiles:  {self.folder}")
        for figure in self.files():
            if figure.endswith(".png"):
                print(f"figure: {self.folder / figure}")

    def files(self) -> list[str]:
        """Names of the files that this run has written into its folder so far, but for its log."""
        found = stamps(self.folder)
        return sorted(n for n in found if found[n] != self._stamps.get(n) and n != "run.log")

    def rescue(self, error: Exception) -> None:
        """Write what was measured before an error, without hiding the error."""
        if not self.results.rows:
            return
        try:
            self.finish(failed=reason(error))
        except Exception as another:
            log.warning("the summary could not be written: %s", reason(another))

    def heading(self) -> str:
        """Title of the table: what ran, on what data, with what training."""
        data = self.data
        remarks = "".join(f"; {remark}" for remark in data.remarks)
        return (
            f"{self.config['title']} — {data.name} ({len(data.train):,} training, "
            f"{len(data.test):,} test examples{remarks}), scale {self.config['scale']}, "
            f"trainer {self.config['trainer']['name']}, seeds {', '.join(map(str, self.seeds))}"
        )

    def _training(self) -> dict[str, dict[str, Any]]:
        """What the store knows of the models that this run's numbers rest on, by key."""
        facts = ("best_epoch", "epochs", "validation_error_rate", "seconds", "threads", "torch")
        metas = {key: self.store.meta(key) for key in self.models}
        return {
            key: {"model": self.models[key]} | {fact: meta[fact] for fact in facts}
            for key, meta in metas.items()
            if meta is not None
        }

    def manifest(self) -> dict[str, Any]:
        """Everything needed to make this run again."""
        data = self.data
        memory = resident_peak()
        seconds: dict[str, float] = {}
        for (phase, _), spent in self.seconds.items():
            seconds[phase] = round(seconds.get(phase, 0.0) + spent, 1)
        return {
            "command": self.command,
            "config": self.config,
            "remarks": list(self.remarks.values()),
            "versions": {
                "python": platform.python_version(),
                **{p: version(p) for p in ("advx", *packages())},
            },
            "platform": f"{platform.system()} {platform.machine()}",
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "data": {
                "name": data.name,
                "fingerprint": data.fingerprint,
                "test": self.test_digest,
                "remarks": data.remarks,
            },
            "store_keys": {key: {"model": name} for key, name in self.models.items()}
            | self._training(),
            "own_code": own_code(
                [node for _, node in nodes(self.config)] + list(self._own_experiment.values())
            ),
            "seconds": seconds,
            "files": self.files(),
            "peak_memory_mib": None if math.isnan(memory) else round(memory),
        }


def pick_device(name: str) -> str:
    """`auto` is a GPU where there is one.

    Raises:
        ConfigError: `cuda` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if available else "cpu"
    if name == "cuda" and not available:
        raise ConfigError("device=cuda: no CUDA device on this machine; valid here: auto, cpu")
    return name


def check(config: dict[str, Any], main: Any) -> None:
    """Everything that can be wrong with a configuration, found before anything is trained."""
    check_plain(config)
    check_keywords(config, main, COMMON_KEYS, f"experiment={config['experiment']}")
    pick_device(config["device"]["name"])
    for path, node in nodes(config):
        descriptive = {"dataset": ("input_shape", "classes"), "trainer": ()}.get(path, ())
        check_node({k: v for k, v in node.items() if k not in descriptive}, path)
        if path in ("crafting", "model") and not is_differentiable(target(node)):
            key = "model" if path == "model" else "model@crafting"
            raise ConfigError(
                f"{key}={node['name']}: has no gradient to craft along; "
                "valid: any differentiable model, e.g. maxout, smoothed_nearest_neighbor"
            )
    check_declared(config, main)


def named(recipe: Recipe, error: Diverged) -> Diverged:
    """The error with the name of the model that diverged."""
    told = Diverged(f"{recipe.name}, seed {recipe.seed}: {error}")
    return told.with_traceback(error.__traceback__)


def stands_alone(node: dict[str, Any]) -> bool:
    """Whether the model of a node has images of its own, whatever the run's data set."""
    return getattr(target(node), "stands_alone", False)


def is_own(node: dict[str, Any]) -> bool:
    """Whether what a node names is a user's own, or a library's: none of advx's."""
    return str(node["_target_"]).partition(".")[0] != "advx"


def nodes(config: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, with its path."""
    for key, value in config.items():
        if isinstance(value, dict):
            here = f"{path}.{key}" if path else str(key)
            if "_target_" in value:
                yield here, value
            else:
                yield from nodes(value, here)
