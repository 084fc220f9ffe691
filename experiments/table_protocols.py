"""Table 1.1 again, by every protocol that the chapter leaves open: which one is its own?

    advx run experiment=table_protocols                  # 5,000 digits that ship with a package
    advx run experiment=table_protocols scale=chapter    # MNIST, fewer protocols

The procedure: the five rows of the table as `transfer_table` measures them, with the same networks;
then again with one thing changed, or with a few that interact: in the training of the target
networks, in the crafting, or in what is counted. Of every protocol: how far is its whole table from
the chapter's, and does it bring a row to the chapter's figure without moving the others?

A change is data: `changes` in the experiment's YAML. A protocol is the names of its changes, joined
by `+`.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from advx.config.cells import Cell, Cells, parts_of, setting
from advx.config.config import Config
from advx.config.joined import joined
from advx.data.dataset import Split
from advx.errors import ConfigError, nearest
from advx.evaluation.counting import Counted, counted, examples, has_gray_levels, in_gray_levels
from advx.evaluation.transfer import error_rate
from advx.figures.dots import Dots, dot_figure
from advx.figures.style import OURS, called, percentage
from advx.report.over_seeds import Numbers
from advx.report.verdict import NEAR_ADVERSARIAL
from advx.run import Run
from advx.run.model import Model, seed_of
from advx.run.named import Deferred
from advx.types import PositiveInt

PAIRS = (
    ("maxout", "nearest_neighbor"),
    ("smoothed_nearest_neighbor", "nearest_neighbor"),
    ("maxout", "relu"),
    ("maxout", "tanh"),
    ("maxout", "softmax_regression"),
)
"""Crafting model and target of each row of Table 1.1."""

ROWS = {f"{crafting} -> {target}": (crafting, target) for crafting, target in PAIRS}

NETWORKS = ("relu", "tanh", "softmax_regression")
"""The target networks, whose training `trainer` and `defense` of a change are about."""

ALL, NEAREST, ANY = "all rows", "nearest protocol", "any protocol"
"""Rows that say something of a whole table, or of all of them."""

UNCHANGED = ""
"""The setting of the protocol of `transfer_table`."""

PANELS = {
    "maxout -> relu": "ReLU",
    "maxout -> softmax_regression": "softmax",
    "maxout -> tanh": "tanh",
    "maxout -> nearest_neighbor": "neighbor",
    "smoothed_nearest_neighbor -> nearest_neighbor": "smoothed",
}
"""The rows in the figure, from left to right, by their targets; the last by its crafting model."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a protocol does otherwise; what is left out stays as it is.

    Attributes:
        models: arguments of models, by the model's name.
        trainer: arguments of the trainer of the target networks.
        defense: that the target networks are trained with.
        attack: arguments of the attack.
        gray_levels: the adversarial images are kept in [0, 1] and rounded to so many steps.
        counted: which of the test examples the error rates count.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    defense: Config | None = None
    attack: dict[str, Any] = field(default_factory=dict)
    gray_levels: PositiveInt | None = None
    counted: Counted = "all"


def cells(
    models: dict[str, Config], changes: dict[str, Any], protocols: list[str]
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    named = [*chosen(models, changes, protocols)]
    yield Cells([*ROWS], ["error_rate"], settings=named)
    yield Cells([*NETWORKS], ["clean_error_rate"], settings=named)
    yield Cells([ALL], ["rms_distance"], settings=named)
    others = [name for name in named if name != UNCHANGED]
    yield Cells([ALL], ["largest_change", "rows_explained"], settings=others)
    yield Cells([*ROWS], ["explaining_protocols"])
    yield Cells([NEAREST], ["rms_distance"])
    yield Cells([ANY], ["tanh_minus_relu"])


def main(
    run: Run,
    models: dict[str, Config],
    attack: Config,
    changes: dict[str, Change],
    protocols: list[str],
) -> None:
    """The table by every protocol, on every seed.

    Args:
        run: the run to measure on.
        models: those of the table, by name.
        attack: the fast gradient sign method.
        changes: what a protocol may do otherwise, by name.
        protocols: names of changes, several joined by `+`; the unchanged protocol comes first of
            itself.
    """
    named = chosen(models, changes, protocols)
    for change in named.values():
        refuse(run, attack, change)
    trained = {
        model.key
        for change in named.values()
        for seed in run.seeds
        for model in models_by(run, change, seed).values()
        if model.random
    }
    with run.progress(models=len(trained)):
        for seed in run.seeds:
            tables = {
                name: table(run, name, attack, change, seed) for name, change in named.items()
            }
            compare(run, tables, seed)
    draw(run, [*named])
    run.finish()


def chosen(
    models: Mapping[str, Config], changes: Mapping[str, Any], protocols: Iterable[str]
) -> dict[str, Change]:
    """What each protocol changes, by its setting; the unchanged protocol first.

    Raises:
        ConfigError: a protocol names a change that there is not, or two that set one thing; a
            change is about a model that there is not.
    """
    for name, change in changes.items():
        for model in change.get("models", {}):
            if model not in models:
                raise ConfigError(f"changes.{name}.models.{model}: {nearest(model, models)}")
    made = {UNCHANGED: Change()}
    for protocol in protocols:
        parts = parts_of(protocol)
        for part in parts:
            if part not in changes:
                raise ConfigError(f"protocols={protocol}: no such change; {nearest(part, changes)}")
        together: dict[str, Any] = {}
        for part in parts:
            together = joined(together, changes[part], f"protocols={protocol}: ")
        made[setting(*(f"change={part}" for part in parts))] = Change(**together)
    return made


def refuse(run: Run, attack: Config, change: Change) -> None:
    """Refuse, before anything is trained, a change that a model or the attack does not take.

    Raises:
        ConfigError: the first key that is wrong.
    """
    if change.gray_levels is not None and not has_gray_levels(run.data.test.images):
        raise ConfigError(
            f"changes: gray_levels={change.gray_levels}, but the examples of "
            f"dataset={run.data.name} are no images in [0, 1]; valid: gray_levels=null, or images "
            "in [0, 1]"
        )
    each = models_by(run, change, run.seeds[0])
    for crafting, target in PAIRS:
        _ = each[target].key
        run.attack(attack.with_(**change.attack), each[crafting])


def models_by(run: Run, change: Change, seed: int) -> dict[str, Model]:
    """The models of the table, by name, as a protocol makes them."""
    each = {}
    for name in dict.fromkeys(name for pair in PAIRS for name in pair):
        model = run.model(name, seed)
        if name in change.models:
            model = model.with_(model=model.config.with_(**change.models[name]))
        if name in NETWORKS:
            model = model.with_(trainer=model.trainer.with_(**change.trainer))
            if change.defense is not None:
                model = model.with_(defense=Config(change.defense, "defense"))
        each[name] = model
    return each


def table(run: Run, name: str, attack: Config, change: Change, seed: int) -> dict[str, float]:
    """The error rate of each row by one protocol for one seed, in percent."""
    each = models_by(run, change, seed)
    rates, test = {}, run.data.test
    for row, (crafting, target) in ROWS.items():
        source, model = each[crafting], each[target]
        shown = shown_by(run, attack, change, source, model)
        n = len(test)
        if change.counted != "all":
            count = run.measure(examples, shown)
            n = int(count) if math.isfinite(count) else 0
        rates[row] = run.measure(error_rate, model, shown) if n else math.nan
        run.table.add(
            row, error_rate=rates[row], setting=name, seed=seed_of(source, model), n=n or None
        )
    for network in NETWORKS:
        clean = run.measure(error_rate, each[network], test)
        run.table.add(network, clean_error_rate=clean, setting=name, seed=seed, n=len(test))
    return rates


def shown_by(
    run: Run, attack: Config, change: Change, source: Model, target: Model
) -> Deferred[Split]:
    """The adversarial examples that a target's mistakes are counted on."""
    shown: Deferred[Split] = run.craft(attack.with_(**change.attack), source)
    if change.gray_levels is not None:
        shown = run.derive(in_gray_levels, shown, levels=change.gray_levels)
    if change.counted != "all":
        shown = run.derive(counted, shown, run.data.test, target, source, change.counted)
    return shown


def compare(run: Run, tables: Mapping[str, Mapping[str, float]], seed: int) -> None:
    """How near each protocol's table is to the chapter's, and which rows it explains."""
    numbers = run.numbers()
    chapter = {row: numbers.chapter(row, "error_rate") or math.nan for row in ROWS}
    before = tables[UNCHANGED]
    distances, found = {}, dict.fromkeys(ROWS, 0)
    for name, rates in tables.items():
        distances[name] = rms_distance(rates, chapter)
        run.table.add(ALL, rms_distance=distances[name], setting=name, seed=seed, unit="points")
        if name == UNCHANGED:
            continue
        largest = float(np.max([abs(rates[row] - before[row]) for row in ROWS]))
        run.table.add(ALL, largest_change=largest, setting=name, seed=seed, unit="points")
        rows = explained(rates, before, chapter)
        run.table.add(ALL, rows_explained=len(rows), setting=name, seed=seed, unit="rows")
        for row in rows:
            found[row] += 1
    for row, count in found.items():
        run.table.add(row, explaining_protocols=count, seed=seed, unit="protocols")
    others = [d for name, d in distances.items() if name != UNCHANGED and math.isfinite(d)]
    run.table.add(NEAREST, rms_distance=min(others, default=math.nan), seed=seed, unit="points")
    apart = [rates["maxout -> tanh"] - rates["maxout -> relu"] for rates in tables.values()]
    widest = max(filter(math.isfinite, apart), default=math.nan)
    run.table.add(ANY, tanh_minus_relu=widest, seed=seed, unit="points")


def rms_distance(rates: Mapping[str, float], chapter: Mapping[str, float]) -> float:
    """Root mean square of the rows' differences, in points."""
    return math.sqrt(sum((rates[row] - chapter[row]) ** 2 for row in ROWS) / len(ROWS))


def explained(
    rates: Mapping[str, float], before: Mapping[str, float], chapter: Mapping[str, float]
) -> list[str]:
    """The rows that a protocol explains.

    A row is explained if it comes from beyond `NEAR_ADVERSARIAL` points of the chapter's figure to
    within that; none is if any other row leaves both the chapter's figure and its own from before
    by more than that.

    Args:
        rates: error rates by the protocol, in percent.
        before: by the unchanged one.
        chapter: the chapter's.
    """
    near = {row for row in ROWS if abs(rates[row] - chapter[row]) <= NEAR_ADVERSARIAL}
    was_near = {row for row in ROWS if abs(before[row] - chapter[row]) <= NEAR_ADVERSARIAL}
    stays = {row for row in ROWS if abs(rates[row] - before[row]) <= NEAR_ADVERSARIAL}
    alone = len(near | stays) == len(ROWS)
    return [row for row in ROWS if alone and row in near - was_near]


def draw(run: Run, named: list[str]) -> None:
    """Every protocol's rows beside the chapter's, from the nearest table to the farthest."""
    results = run.numbers()
    distance = {name: results.mean(ALL, "rms_distance", setting=name) for name in named}
    order = sorted(named, key=lambda name: (math.isnan(distance[name]), distance[name]))
    shown = [Cell(row, "error_rate", None, name) for row in PANELS for name in order]
    seeds = results.seeds(shown)
    rates = results.over_seeds(shown).reshape(-1, len(PANELS), 1, len(order))
    if None in seeds and len(seeds) > 1:  # a row without randomness is that of every seed
        alike = rates[seeds.index(None)]
        rates = np.where(np.isnan(rates), alike, rates)[[s is not None for s in seeds]]
    dot_figure(
        run.folder,
        "table_protocols",
        [line(name, distance[name]) for name in order],
        [Dots("here", OURS, "o")],
        {words: rates[:, panel] for panel, words in enumerate(PANELS.values())},
        finding=finding(results, order),
        provenance=(
            f"{run.heading()}. Beside each protocol the root mean square distance of its five "
            f"rates from the chapter's, in points. Dotted: the unchanged protocol. "
            f"Dots: {results.basis(shown)}"
        ),
        reference=line(UNCHANGED, distance[UNCHANGED]),
        printed=[results.chapter(row, "error_rate") for row in PANELS],
    )


def title(name: str) -> str:
    """A protocol's name for readers."""
    parts = [called(part.partition("=")[2]) for part in parts_of(name)]
    return " + ".join(parts).replace("epsilon", "ε =") or "unchanged"


def line(name: str, distance: float) -> str:
    """What stands beside a protocol's dots; without a distance one of its networks diverged."""
    return f"{title(name)}  {distance:.1f}" if math.isfinite(distance) else f"{title(name)}  –"


def finding(results: Numbers, order: list[str]) -> str:
    """What came out, in one sentence.

    Args:
        results: the run's numbers.
        order: the protocols, the nearest table first.
    """
    rate = results.mean("maxout -> relu", "error_rate", setting=order[0])
    distance, before = (
        results.mean(ALL, "rms_distance", setting=name) for name in (order[0], UNCHANGED)
    )
    count = results.mean("maxout -> relu", "explaining_protocols")
    found = "None" if count == 0 else f"{count:g}"
    return (
        f"{found} of {len(order) - 1} other protocols gives the ReLU network alone the chapter's "
        f"{percentage(results.chapter('maxout -> relu', 'error_rate') or math.nan)}; the nearest "
        f"table is {distance:.1f} points from the chapter's ({title(order[0])}, "
        f"ReLU {percentage(rate)}), the unchanged one {before:.1f}"
    )
