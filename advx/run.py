"""What an experiment is handed: its data, its models, its attack, and a place for its rows."""

import json
import logging
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from advx.config.build import build
from advx.config.check import check_keywords, check_node, check_seeds
from advx.data.dataset import Dataset
from advx.errors import ConfigError, Diverged
from advx.models.base import is_differentiable
from advx.report.claims import judge_claim
from advx.report.results import Results, Row, csv_text, table, write_results, write_summary
from advx.store.store import Store
from advx.training.obtain import Recipe, Trained, construct, obtain
from advx.training.trainer import Progress

log = logging.getLogger(__name__)

COMMON_KEYS = (
    "experiment", "title", "main", "scale", "seeds", "dataset", "data_dir", "device", "trainer",
    "store", "rows", "claims", "deviations",
)  # fmt: skip
"""Top-level keys that every experiment has; its own are the parameters of its `main`."""

EVALUATION_VERSION = 1
"""Raised by hand whenever a measurement comes to mean something else: kept rows are then redone."""

MODEL_KEYS = ("models", "model", "crafting", "target")
"""Top-level keys under which models stand."""

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
        self.models: dict[str, str] = {}
        self.seconds: dict[tuple[str, str], float] = {}
        self._bar: tqdm | None = None
        self._chapter = {(r["row"], r["metric"]): r for r in config.get("rows") or []}
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
            return build(node).to(self.device)

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
            if path.split(".")[0] in MODEL_KEYS:
                recipe = self.recipe(node, self.seeds[0], path=path)
                module = construct(recipe, self.data)
                if node.get("weights"):
                    obtain(recipe, self.data, self.store)
                if path == "crafting" and not is_differentiable(module):
                    raise ConfigError(
                        f"model@crafting={node['name']}: has no gradient to craft along; "
                        "valid: any differentiable model, e.g. maxout, smoothed_nearest_neighbor"
                    )

    def trained(self, recipe: Recipe, data: Dataset | None = None) -> Trained:
        """The trained model of a recipe, from the store or trained now, with the bar advancing."""
        name = recipe.model.get("name", recipe.path)
        limit = recipe.trainer.get("max_epochs") or UNLIMITED_EPOCHS

        def on_epoch(progress: Progress) -> None:
            if self._bar is not None:
                self._bar.set_description(
                    f"{name}, seed {recipe.seed}, epoch {progress.epoch}/{limit}"
                )
                self._bar.update(1 / limit)

        before = self._bar.n if self._bar is not None else 0
        made = obtain(recipe, data or self.data, self.store, on_epoch)
        if self._bar is not None:
            self._bar.update(1 - (self._bar.n - before))
        self.seconds["train", f"{name}, seed {recipe.seed}"] = made.seconds
        self.models[f"{name}, seed {recipe.seed}, {made.key}"] = made.key
        return made

    def measured(self, depends_on: dict[str, Any], measure: Callable[[], Any]) -> Any:
        """A measurement (anything JSON can hold), kept in the store under what it depends on."""
        content = {"evaluation_version": EVALUATION_VERSION, "test": self.test_digest, **depends_on}
        value = self.store.rows(content)
        if value is None:
            value = measure()
            self.store.save_rows(content, value)
        return value

    def record(
        self, row: str, metric: str, value: float, *, seed: int | None, n: int | None = None,
        unit: str = "percent", note: str = "",
    ) -> None:  # fmt: skip
        """Keep one number, with the chapter's figure where the YAML lists one for (row, metric)."""
        listed = self._chapter.get((row, metric), {})
        self.results.add(
            Row(self.results.experiment, row, metric, seed, value, unit, n, listed.get("chapter")),
            note or listed.get("note", ""),
        )
        write_results(self.folder, self.results)

    @contextmanager
    def progress(self, models: int) -> Iterator[None]:
        """One bar over the training of `models` models; none where the output is no terminal."""
        self._bar = tqdm(
            total=float(models), disable=None, leave=False, smoothing=0.05,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed} elapsed, {remaining} left",
        )  # fmt: skip
        try:
            yield
        finally:
            self._bar.close()
            self._bar = None

    def attempt(self, measure: Callable[[], Any], otherwise: Any) -> Any:
        """`measure()`, or `otherwise` where a model it needs diverged: that costs no other row."""
        try:
            return measure()
        except Diverged as error:
            log.warning("a model diverged: %s", error)
            return otherwise

    def percentage(self, measure: Callable[[], float]) -> float:
        """A percentage, or NaN where a model it needs diverged."""
        return self.attempt(measure, float("nan"))

    @contextmanager
    def timed(self, phase: str, row: str) -> Iterator[None]:
        """Add the seconds spent inside to `timing.csv`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[phase, row] = self.seconds.get((phase, row), 0.0) + spent

    def finish(self) -> None:
        """Write every file of the contract and print the table."""
        outcomes = {
            c["claim"]: judge_claim(c, self.results) for c in self.config.get("claims") or []
        }
        directions = {
            where: outcomes[listed["direction"]].holds
            for where, listed in self._chapter.items()
            if "direction" in listed
        }
        lines = self.results.summary(judge=self.config["scale"] == "chapter", directions=directions)
        write_results(self.folder, self.results)
        write_summary(self.folder, lines, self.heading())
        header = ["experiment", "claim", "predicate", "holds", "seeds", "evidence"]
        claims = [
            [self.results.experiment, o.claim, o.predicate, _holds(o.holds), o.seeds, o.evidence]
            for o in outcomes.values()
        ]
        (self.folder / "claims.csv").write_text(csv_text(header, claims))
        timing = [[phase, row, round(spent, 3)] for (phase, row), spent in self.seconds.items()]
        (self.folder / "timing.csv").write_text(csv_text(["phase", "row", "seconds"], timing))
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest(), indent=1) + "\n")
        print(f"\n{self.heading()}\n\n{table(lines)}\n")
        for outcome in outcomes.values():
            print(f"{_holds(outcome.holds):>12} ({outcome.seeds} seeds)  {outcome.claim}")
        print(f"\nfiles: {self.folder}")

    def heading(self) -> str:
        """Title of the table: what ran, on what data, with what training."""
        data = self.data
        remarks = "".join(f"; {remark}" for remark in data.remarks)
        return (
            f"{self.config['title']} — {data.name} ({len(data.train):,} training, "
            f"{len(data.test):,} test examples{remarks}), scale {self.config['scale']}, "
            f"trainer {self.config['trainer']['name']}, seeds {', '.join(map(str, self.seeds))}"
        )

    def manifest(self) -> dict[str, Any]:
        """Everything needed to make this run again."""
        data = self.data
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        packages = (
            "torch",
            "torchvision",
            "hydra-core",
            "omegaconf",
            "numpy",
            "scipy",
            "pandas",
            "advx",
        )
        seconds: dict[str, float] = {}
        for (phase, _), spent in self.seconds.items():
            seconds[phase] = round(seconds.get(phase, 0.0) + spent, 1)
        return {
            "command": self.command,
            "config": self.config,
            "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
            "platform": f"{platform.system()} {platform.machine()}",
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "data": {
                "name": data.name,
                "fingerprint": data.fingerprint,
                "test": self.test_digest,
                "remarks": data.remarks,
            },
            "store_keys": self.models,
            "seconds": seconds,
            "peak_memory_mib": round(memory / (1024 if sys.platform != "darwin" else 2**20)),
        }


NO_DEFENSE = {"_target_": "advx.defenses.none.NoDefense"}


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
    check_keywords(config, main, COMMON_KEYS, f"experiment={config['experiment']}")
    config["seeds"] = check_seeds(config["seeds"])
    pick_device(config["device"]["name"])
    threads = config["device"]["threads"]
    if not isinstance(threads, int) or threads < 1:
        raise ConfigError(f"device.threads={threads}: a whole number from 1 is needed")
    for path, node in nodes(config):
        descriptive = {"dataset": ("input_shape", "classes"), "trainer": ()}.get(path, ())
        check_node({k: v for k, v in node.items() if k not in descriptive}, path)


def nodes(config: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, with its path."""
    for key, value in config.items():
        if isinstance(value, dict):
            here = f"{path}.{key}" if path else str(key)
            if "_target_" in value:
                yield here, value
            else:
                yield from nodes(value, here)


def _holds(holds: bool | None) -> str:
    return {True: "holds", False: "does not hold", None: "not tested"}[holds]
