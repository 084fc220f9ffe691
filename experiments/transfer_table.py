"""Table 1.1: adversarial examples crafted on one model, shown to another.

    advx run experiment=transfer_table                  # 5,000 digits that ship with a package
    advx run experiment=transfer_table scale=chapter    # MNIST, the chapter's networks

The procedure: train every network; craft with the fast gradient sign method, ε = .25 in the max
norm, on the maxout network (and once on smoothed nearest neighbor); count each target's mistakes
over all test examples. Other protocols, for what the chapter leaves open, stand beside it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import one_of_each_class
from advx.evaluation.transfer import error_rate
from advx.figures.digits import transfer_figure
from advx.figures.style import percentage, size
from advx.run import Run
from advx.run.crafting import refuse_targeted
from advx.run.facts import best_epoch
from advx.run.model import Model, seed_of
from advx.types import NonNegativeInt, PositiveInt

TARGETS = {
    "maxout": ["nearest_neighbor", "relu", "tanh", "softmax_regression", "maxout"],
    "smoothed_nearest_neighbor": ["nearest_neighbor", "smoothed_nearest_neighbor"],
}
"""Crafting models and their targets, the crafting model itself last."""


@dataclass(frozen=True)
class Protocol:
    """One protocol: what it changes of the attack or of the training."""

    setting: str = ""
    attack: dict[str, object] = field(default_factory=dict)
    all_training_data: bool = False
    published_schedule: bool = False

    @property
    def trains(self) -> bool:
        """Whether it needs networks of its own."""
        return self.all_training_data or self.published_schedule


ProtocolName = Literal[
    "unclipped", "clipped", "float32_cross_entropy", "all_training_data", "published_schedule"
]
PROTOCOLS: dict[ProtocolName, Protocol] = {
    "unclipped": Protocol(),
    "clipped": Protocol("clipped", {"clip": [0.0, 1.0]}),
    "float32_cross_entropy": Protocol("objective=cross_entropy", {"objective": "cross_entropy"}),
    "all_training_data": Protocol("all_training_data", all_training_data=True),
    "published_schedule": Protocol("published_schedule", published_schedule=True),
}


def cells(
    models: dict[str, Config], protocols: list[ProtocolName], retraining_seeds: int
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    for protocol in map(PROTOCOLS.__getitem__, protocols):
        if protocol.trains and not retraining_seeds:
            continue
        for crafting, targets in TARGETS.items():
            rows = [f"{crafting} -> {target}" for target in targets]
            yield Cells(rows, ["error_rate"], settings=[protocol.setting])
        if not protocol.attack:
            yield Cells([*models], ["clean_error_rate"], settings=[protocol.setting])


def main(
    run: Run,
    models: dict[str, Config],
    attack: Config,
    protocols: list[ProtocolName],
    published_trainer: Config,
    retraining_seeds: NonNegativeInt,
    figure_examples: PositiveInt,
) -> None:
    """Measure Table 1.1 by every protocol on every seed.

    Args:
        run: the run to measure on.
        models: by name.
        attack: the fast gradient sign method.
        protocols: names in `PROTOCOLS`, the chapter's own protocol first.
        published_trainer: the authors' own schedule, for the protocol of that name.
        retraining_seeds: number of seeds for the protocols that train every network again.
        figure_examples: test examples in the figure.
    """
    refuse_targeted(attack, "attack")
    for name in TARGETS:
        run.attack(attack, run.model(name, run.seeds[0]))  # refused before anything is trained
    networks = [name for name in models if run.model(name, 0).random]
    seeds = {
        name: run.seeds[:retraining_seeds] if PROTOCOLS[name].trains else run.seeds
        for name in protocols
    }
    trainings = len(run.seeds) + sum(
        len(seeds[name]) for name in protocols if PROTOCOLS[name].trains
    )
    with run.progress(models=trainings * len(networks)):
        for name in protocols:
            for seed in seeds[name]:
                each = {
                    model: trained_by(
                        run, run.model(model, seed), PROTOCOLS[name], published_trainer
                    )
                    for model in models
                }
                measure(run, each, attack, PROTOCOLS[name])
    run.attempt(lambda: draw(run, attack, figure_examples))
    run.finish()


def trained_by(run: Run, model: Model, protocol: Protocol, published_trainer: Config) -> Model:
    """The model as a protocol trains it."""
    if protocol.published_schedule:
        return model.with_(trainer=published_trainer)
    return retrained(run, model) if protocol.all_training_data else model


def retrained(run: Run, model: Model) -> Model:
    """Trained on all the training data: as many epochs as were best with a validation set."""
    on_all = model.with_(part="training and validation examples")
    if not model.random:
        return on_all
    epochs = run.measure(best_epoch, model.training)
    if math.isnan(epochs):  # it diverged, as the rows will say
        return model
    return on_all.with_(trainer=model.trainer.with_(max_epochs=int(epochs), patience=None))


def measure(run: Run, models: dict[str, Model], attack: Config, protocol: Protocol) -> None:
    """The table by one protocol for one seed."""
    n = len(run.data.test)
    for crafting, targets in TARGETS.items():
        source = models[crafting]
        adversarial = run.craft(attack.with_(**protocol.attack), source)
        for target in targets:
            run.table.add(
                f"{crafting} -> {target}",
                error_rate=run.measure(error_rate, models[target], adversarial),
                setting=protocol.setting,
                seed=seed_of(source, models[target]),
                n=n,
            )
    if not protocol.attack:
        for name, model in models.items():
            run.table.add(
                name,
                clean_error_rate=run.measure(error_rate, model, run.data.test),
                setting=protocol.setting,
                seed=seed_of(model),
                n=n,
            )


def draw(run: Run, attack: Config, examples: int) -> None:
    """The figure: digit, perturbation and adversarial digit, with every target's prediction."""
    seed = run.seeds[0]
    shown = one_of_each_class(run.data.test.labels, examples)
    crafted = run.craft(attack, run.model("maxout", seed)).value.take(shown)
    targets = {name: run.model(name, seed).value for name in TARGETS["maxout"]}
    numbers = run.numbers()
    rates = {name: numbers.mean(f"maxout -> {name}", "error_rate") for name in targets}
    transfer_figure(
        run.folder,
        run.data.test.take(shown),
        crafted,
        targets,
        rates=rates,
        finding=finding(rates, attack.get("epsilon")),
        provenance=run.heading(),
    )


def finding(rates: dict[str, float], epsilon: float | None) -> str:
    """How the targets fare, in one sentence, from their errors in percent."""
    networks = [rate for name, rate in rates.items() if name not in ("nearest_neighbor", "maxout")]
    at = "" if epsilon is None else f" at ε = {size(epsilon)}"
    return (
        f"Of examples crafted on the maxout network{at}, the other networks get "
        f"{percentage(min(networks))} to {percentage(max(networks))} wrong, nearest neighbor "
        f"{percentage(rates['nearest_neighbor'])}"
    )
