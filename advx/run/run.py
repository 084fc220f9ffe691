"""What an experiment is handed: its data, its models, its measurements and its table."""

import copy
import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn, TypeVar, Unpack

import torch

from advx.config.config import Config
from advx.config.documents import Composed
from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError, Diverged
from advx.report.over_seeds import Numbers
from advx.run.crafting import Crafted, Crafting, PointedAttack
from advx.run.data import RunData
from advx.run.device import pick_device
from advx.run.files import RunFiles
from advx.run.measure import Measurements, log
from advx.run.model import Game, Model
from advx.run.models import Models, Parts
from advx.run.named import Derived
from advx.run.notices import Remarks, Seconds
from advx.run.renamed import gone
from advx.run.table import Table
from advx.store.store import Store
from advx.training.recipe import DataPart

Value = TypeVar("Value")


class Run:
    """One run of one experiment; it only wires the parts.

    Args:
        config: the resolved configuration, a plain dictionary.
        folder: where the run contract's files are written.
        command: the command that made this run, for its manifest.

    Attributes:
        seeds: of the trainings.
        table: where numbers are added.
        models: trains and loads.
        files: writes the run's files.
    """

    def __init__(self, config: Composed, folder: Path, command: str) -> None:
        torch.set_num_threads(config["device"]["threads"])
        self.config = config
        self.folder = folder
        self.seeds: list[int] = config["seeds"]
        self.device = pick_device(config["device"]["name"])
        self.store = Store(config["store"])
        self.remarks = Remarks()
        self.seconds = Seconds()
        self.source = RunData(Config(config["dataset"], "dataset"), self.device, self.seconds)
        trainer = Config(config["trainer"], "trainer")
        self.models = Models(self.source, self.store, trainer, self.remarks)
        self.crafting = Crafting(self.source, self.seconds, self.remarks)
        self.measurements = Measurements(self.store, self.remarks)
        self.table = Table(config["experiment"], config.get("rows") or [], folder)
        self.files = RunFiles(
            config,
            folder,
            command,
            data=self.source,
            models=self.models,
            results=self.table.results,
            remarks=self.remarks,
            seconds=self.seconds,
        )

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(gone(name))

    def on(self, dataset: Config) -> "Run":
        """The same run on another data set: one table, one store, one folder; other models.

        Args:
            dataset: the other data set's configuration.
        """
        other = copy.copy(self)
        other.source = RunData(dataset, self.device, self.seconds)
        other.models = self.models.on(other.source)
        other.crafting = Crafting(other.source, self.seconds, self.remarks)
        return other

    @property
    def data(self) -> Dataset:
        """The data set, on the run's device."""
        return self.source.all

    def test(self, examples: int | None = None) -> Split:
        """The test examples, or so many of them, evenly spaced."""
        return self.source.test(examples)

    @property
    def only_seed(self) -> int:
        """The seed of a run that measures a single model.

        Raises:
            ConfigError: there are several.
        """
        if len(self.seeds) > 1:
            raise ConfigError(
                f"seeds={self.seeds}: experiment={self.config['experiment']} measures one model; "
                f"valid: one seed, e.g. seeds=[{self.seeds[0]}]; several in a sweep, "
                f"-m 'seeds={','.join(f'[{seed}]' for seed in self.seeds)}'"
            )
        return self.seeds[0]

    def model(self, model: str | Config, seed: int, **parts: Unpack[Parts]) -> Model:
        """A classifier for one seed, trained or loaded when it is first needed.

        Args:
            model: its name under `models`, or its configuration.
            seed: of its training.
            parts: `trainer`, `defense` or `part` of the data, where they are not the usual ones.
        """
        return self.models.model(self._config("models", model), seed, **parts)

    def game(
        self,
        game: str | Config,
        seed: int,
        *,
        trainer: Config | None = None,
        data: Dataset | None = None,
        part: DataPart = "training examples",
    ) -> Game:
        """A game between networks for one seed, trained or loaded when it is first needed.

        Args:
            game: its name under `games`, or its configuration.
            seed: of its training.
            trainer: where it is not the run's.
            data: that it is trained on, where they are not the run's.
            part: of the run's data, that it is trained on.
        """
        config = self._config("games", game)
        return self.models.game(config, seed, trainer=trainer, data=data, part=part)

    def _config(self, key: str, chosen: str | Config) -> Config:
        if isinstance(chosen, str):
            return Config(self.config[key][chosen], f"{key}.{chosen}")
        return chosen

    def attack(self, attack: Config, source: Model) -> PointedAttack:
        """An attack on a model, refused where it does not fit."""
        return self.crafting.attack(attack, source)

    def craft(self, attack: Config, source: Model, examples: int | None = None) -> Crafted:
        """The test examples after an attack on a model, made when they are first needed.

        Args:
            attack: its configuration.
            source: the model that its gradients come from.
            examples: only so many test examples, evenly spaced; None for all.
        """
        return self.crafting.craft(attack, source, examples)

    def measure(self, function: Callable[..., Value], *positional: Any, **keywords: Any) -> Value:
        """The value of a measurement, taken once: `run.measure(error_rate, model, examples)`.

        Models, games, attacks and crafted examples of this run stand for what they make. Where a
        training that it needs diverged, the value is undefined: NaN for a number.
        """
        return self.measurements.measure(function, *positional, **keywords)

    def derive(
        self, function: Callable[..., Value], *positional: Any, **keywords: Any
    ) -> Derived[Value]:
        """What a measurement's function makes, for other measurements: made once, not stored."""
        bound = inspect.signature(function).bind(*positional, **keywords)
        return Derived(function, bound.arguments)

    def progress(self, models: int) -> AbstractContextManager[None]:
        """One bar over the training of `models` models."""
        return self.models.progress(models)

    def timed(self, phase: str, row: str) -> AbstractContextManager[None]:
        """Add the seconds spent inside to `timing.csv`."""
        return self.seconds.timed(phase, row)

    def attempt(self, work: Callable[[], Value]) -> Value | None:
        """`work()`, or None where a model that it needs diverged."""
        try:
            return work()
        except Diverged as error:
            log.warning("diverged: %s", error)
            return None

    def numbers(self) -> Numbers:
        """What has been measured so far, for figures."""
        return Numbers(self.table.results.rows)

    def undefined(self) -> bool:
        """Whether there are measured numbers, and every one is NaN."""
        values = [row.value for row in self.table.results.rows]
        return bool(values) and all(map(math.isnan, values))

    def heading(self) -> str:
        """Title of the table: what ran, on what data, with what training."""
        return self.files.heading()

    def finish(self) -> None:
        """Write every file of the contract and print the table."""
        self.files.finish()

    def rescue(self, error: Exception) -> None:
        """Write what was measured before an error, without hiding the error."""
        self.files.rescue(error)
