"""Every attack of section 1.2.4 on the same network and the same digits.

    advx run experiment=attack_comparison                  # digits that ship with a package
    advx run experiment=attack_comparison scale=chapter    # MNIST, the chapter's network

The procedure: train the maxout network; craft with every attack on the same test digits; count the
successes (a mistake, or the class aimed at), measure how large the perturbations are in four norms,
and what they cost in forward passes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.config.cells import Cells, setting
from advx.config.config import Config
from advx.data.dataset import Split
from advx.evaluation.benchmark import operations_of
from advx.evaluation.measurement import measurement
from advx.evaluation.outcomes import Outcome, successes
from advx.evaluation.smallest import median_smallest_along, median_smallest_epsilon
from advx.evaluation.transfer import craft, known_of_each_class, predictions
from advx.evaluation.undefined import percent
from advx.figures.gallery import Captions, gallery
from advx.figures.style import percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Model
from advx.types import Positive, PositiveInt, Probability

UNITS = {
    "success_rate": "percent",
    "mean_l2": "L2 norm",
    "median_l2": "L2 norm",
    "mean_linf": "max norm",
    "median_linf": "max norm",
    "mean_l0": "percent of pixels",
    "distortion": "root mean square",
}
"""What is measured of every attack; the sizes are those of the perturbations that succeed."""

SMALLEST = ("linearized_model_linf", "deepfool_linf")
"""Attacks that look for the smallest perturbation in the max norm."""

SCALED = ("linearized_model_linf", "scaled")
"""The one of them that moves along one direction, and its setting when given FGSM's lengths."""


def cells(attacks: dict[str, Config], jsma_shares: list[float], dataset: Config) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells([*attacks], ["success_rate", "forward_equivalents"])
    yield Cells([*attacks], [*UNITS], always=False)  # of no success there is no size
    wanted = ["all", *map(str, range(dataset["classes"]))]
    settings = [to_class(name, share) for share in jsma_shares for name in wanted]
    yield Cells(["jsma"], ["success_rate"], settings=settings)
    yield Cells(["fgsm", *SMALLEST], ["median_smallest_epsilon"])
    yield Cells([SCALED[0]], ["median_smallest_epsilon"], settings=[SCALED[1]])


def main(
    run: Run,
    models: dict[str, Config],
    attacks: dict[str, Config],
    examples: PositiveInt,
    counted: PositiveInt,
    jsma_shares: list[Probability],
    largest_epsilon: Positive,
    figure_examples: PositiveInt,
) -> None:
    """One row an attack.

    Args:
        run: the run to measure on.
        models: the one network, by name.
        attacks: the attacks, by name; `fgsm`, `jsma`, `linearized_model_linf` and `deepfool_linf`
            among them.
        examples: test examples attacked.
        counted: of these, the ones that the operations are counted on.
        jsma_shares: shares of the pixels that JSMA may change on its way to every wrong class.
        largest_epsilon: where the search for FGSM's smallest successful ε ends.
        figure_examples: digits in the figure.
    """
    (name,) = models
    n = min(examples, len(run.data.test))
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.model(name, seed)
            for row, attack in attacks.items():
                sizes_and_cost(run, network, row, attack, n, counted)
            every_class(run, network, attacks["jsma"], jsma_shares, n)
            smallest_sizes(run, network, attacks, largest_epsilon, n)
    run.attempt(lambda: draw(run, run.model(name, run.seeds[0]), attacks, figure_examples))
    run.finish()


def sizes_and_cost(
    run: Run, network: Model, row: str, attack: Config, n: int, counted: int
) -> None:
    """The rows of one attack, and its seconds."""
    won = outcome(run, network, attack, n)
    for metric, unit in UNITS.items():
        value = getattr(won, metric)
        unsized = math.isnan(value) and not math.isnan(won.success_rate)  # nothing succeeded
        if not unsized:
            run.table.add(row, {metric: value}, seed=network.seed, n=n, unit=unit)
    if not math.isnan(won.seconds):
        run.seconds.spent["attack on 1,000", f"{row}, seed {network.seed}"] = won.seconds
    pointed = run.attack(attack, network)
    cost = run.measure(
        forward_equivalents,
        network,
        pointed,
        run.test(counted),
        run.crafting.targets(pointed, counted),
    )
    unit = "forward passes"
    run.table.add(row, forward_equivalents=cost, seed=network.seed, unit=unit)


def outcome(run: Run, network: Model, attack: Config, n: int) -> Outcome:
    """What an attack does on the network."""
    pointed = run.attack(attack, network)
    targets, wanted = run.crafting.targets(pointed, n), run.crafting.wanted(pointed, n)
    return run.measure(successes, network, pointed, run.test(n), targets, wanted)


@measurement(version=1)
def forward_equivalents(
    model: nn.Module, attack: Attack, clean: Split, targets: Tensor | None
) -> float:
    """Multiply–adds of the attack over those of one forward pass of the same examples."""
    with torch.no_grad():
        once = operations_of(lambda: model(clean.images))
    return operations_of(lambda: craft(attack, model, clean, targets)) / once


def every_class(run: Run, network: Model, jsma: Config, shares: list[float], n: int) -> None:
    """Success over all wrong classes of every example, for several budgets, and by class."""
    seed = network.seed
    for share in shares:
        attack = run.attack(jsma.with_(share=share), network)
        results = run.measure(
            success_by_class, network, attack, run.test(n), classes=run.data.classes
        )
        for wanted, (rate, others) in enumerate(zip(results.rates, results.examples, strict=True)):
            under = to_class(run.data.class_names[wanted], share)
            run.table.add("jsma", success_rate=rate, setting=under, seed=seed, n=others)
        total = sum(results.examples)
        weighted = zip(results.rates, results.examples, strict=True)
        mean = sum(rate * others for rate, others in weighted) / total if total else math.nan
        under = to_class("all", share)
        run.table.add("jsma", success_rate=mean, setting=under, seed=seed, n=n)


def to_class(wanted: str, share: float) -> str:
    """The setting in which JSMA makes a class, or "all", of a share of the pixels."""
    return setting(**{"class": wanted, "share": share})


@dataclass(frozen=True)
class ByClass:
    """Success in percent of the examples that are not of a class, and their number, by class."""

    rates: list[float]
    examples: list[int]


@measurement(version=1)
def success_by_class(model: nn.Module, attack: Attack, clean: Split, *, classes: int) -> ByClass:
    """How often a targeted attack makes each class of the examples that are not of it."""
    rates, counts = [], []
    for wanted in range(classes):
        others = clean.take((clean.labels != wanted).nonzero().squeeze(1))
        targets = torch.full_like(others.labels, wanted)
        results = predictions(model, craft(attack, model, others, targets).images)
        rates.append(percent(model, results == targets, results))
        counts.append(len(others))
    return ByClass(rates, counts)


def smallest_sizes(
    run: Run, network: Model, attacks: dict[str, Config], largest: float, n: int
) -> None:
    """The median smallest ε of FGSM beside those of attacks that look for it."""
    steps = run.crafting.by_size(attacks["fgsm"], network)
    results = run.measure(median_smallest_epsilon, network, steps, run.test(n), largest=largest)
    add = partial(run.table.add, seed=network.seed, n=n, unit="max norm")
    add("fgsm", median_smallest_epsilon=results)
    for row in SMALLEST:
        add(row, median_smallest_epsilon=outcome(run, network, attacks[row], n).median_smallest)
    row, scaled = SCALED
    attack = run.attack(attacks[row], network)
    smallest = run.measure(
        median_smallest_along, network, attack, run.test(n), norm="linf", largest=largest
    )
    add(row, median_smallest_epsilon=smallest, setting=scaled)


WORDS = {
    "fgsm": "FGSM",
    "fgsm_l2": "FGSM, L2",
    "fgsm_targeted": "FGSM, targeted",
    "pgd": "PGD",
    "lbfgs": "L-BFGS, targeted",
    "lbfgs_untargeted": "L-BFGS",
    "linearized_model": "linearized\nmodel, L2",
    "linearized_model_linf": "linearized\nmodel, max",
    "linearized_model_l1": "linearized\nmodel, L1",
    "deepfool": "DeepFool, L2",
    "deepfool_linf": "DeepFool, max",
    "virtual_adversarial": "virtual",
    "jsma": "JSMA, raising",
    "jsma_lowering": "JSMA, lowering",
    "feature": "hidden layer",
    "random_noise": "noise",
    "random_noise_l2": "noise, L2",
}
"""What the figure calls the attacks."""

NORMS = {"LBFGS": "l2", "JSMA": "l0", "Feature": "linf"}
"""The norm that an attack keeps small, where it has no choice of one."""


def draw(run: Run, network: Model, attacks: dict[str, Config], count: int) -> None:
    """The same digits under every attack, with what the network says of each."""
    module, test = network.value, run.data.test
    shown = known_of_each_class(module, test, count)
    images = {"clean": test.images[shown]}
    for row, attack in attacks.items():
        pointed = run.attack(attack, network)
        targets = run.crafting.targets(pointed)
        some = None if targets is None else targets[shown]
        images[row] = craft(pointed.value, module, test.take(shown), some).images
    gallery(
        run.folder,
        "attack_comparison",
        images,
        {row: predictions(module, made) for row, made in images.items()},
        test.labels[shown],
        class_names=run.data.class_names,
        provenance=run.heading(),
        **captions(run.numbers(), attacks),
    )


def captions(results: Numbers, attacks: dict[str, Config]) -> Captions:
    """What stands in the figure beside the images: names, numbers and the finding."""
    words, numbers = {}, {}
    for row, node in attacks.items():
        epsilon = node.get("epsilon")
        at = "" if epsilon is None else f"\nε = {size(epsilon)}"
        words[row] = WORDS.get(row, row.replace("_", " ")) + at
        norm = node.get("norm") or NORMS.get(node.target_name, "linf")
        if norm in ("l1", "l0"):
            length = f"{results.mean(row, 'mean_l0'):.2g}%\nof pixels"
        else:
            unit = "L2" if norm == "l2" else "max"
            length = f"{results.mean(row, f'median_{norm}'):.2f}\n{unit}"
        cost = results.mean(row, "forward_equivalents")
        numbers[row] = [f"{results.mean(row, 'success_rate'):.1f}%", length, f"{cost:,.0f}"]
    rates = {row: percentage(results.mean(row, "success_rate")) for row in attacks}
    finding = (
        f"FGSM succeeds on {rates['fgsm']} of the examples for {numbers['fgsm'][2]} forward passes"
    )
    if "lbfgs_untargeted" in attacks:
        finding += f", L-BFGS on {rates['lbfgs_untargeted']} for {numbers['lbfgs_untargeted'][2]}"
    if "random_noise" in attacks:
        finding += f"; noise of the same size on {rates['random_noise']}"
    return {
        "words": words,
        "numbers": numbers,
        "finding": finding,
        "heads": ["success", "median\nsize", "forward\npasses"],
        "note": "In each image's corner its class; framed, a mistake. Success counts what is wrong "
        "without an attack too. Size: of the perturbations that succeed, in the attack's "
        "norm; of pixels, the mean.",
    }
