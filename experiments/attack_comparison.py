"""Every attack of section 1.2.4 on the same network and the same digits.

    advx run experiment=attack_comparison                  # digits that ship with a package
    advx run experiment=attack_comparison scale=chapter    # MNIST, the chapter's network

The procedure: train the maxout network; craft with every attack on the same test digits; count the
successes (a mistake, or the class aimed at), measure how large the perturbations are in four norms,
and what they cost in forward passes.
"""

import math
import time
from typing import Any

import torch
from torch import Tensor

from advx.attacks import norms
from advx.data.dataset import Split
from advx.evaluation.benchmark import operations_of, synchronise
from advx.evaluation.smallest import median_smallest
from advx.evaluation.transfer import craft, error_rate, known_of_each_class, predictions
from advx.evaluation.undefined import answered, percent
from advx.figures.gallery import gallery
from advx.figures.style import percentage, size
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.training.recipe import Recipe
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


def main(
    run: Run,
    models: dict[str, Any],
    attacks: dict[str, Any],
    examples: PositiveInt,
    counted: PositiveInt,
    jsma_shares: list[Probability],
    largest_epsilon: Positive,
    figure_examples: PositiveInt,
) -> None:
    """One row an attack.

    Args:
        run: the run to measure on.
        models: the bag with the one network.
        attacks: the attacks, by name; `fgsm`, `jsma`, `linearized_model_linf` and `deepfool_linf`
            among them.
        examples: test examples attacked.
        counted: of these, the ones that the operations are counted on.
        jsma_shares: shares of the pixels that JSMA may change on its way to every wrong class.
        largest_epsilon: where the search for FGSM's smallest successful ε ends.
        figure_examples: digits in the figure.
    """
    (name,) = models
    with run.progress(models=len(run.seeds)):
        for seed in run.seeds:
            network = run.recipe(name, seed)
            known = {"seed": seed, "n": min(examples, len(run.data.test))}
            for row, node in attacks.items():
                found = successes_and_sizes(run, network, row, node, examples)
                for metric, unit in UNITS.items():
                    if metric in found or not found:  # without a success there is no size
                        run.record(row, metric, found.get(metric, math.nan), unit=unit, **known)
                cost = forward_equivalents(run, network, node, counted)
                run.record(row, "forward_equivalents", cost, seed=seed, unit="forward passes")
            report_every_class(run, network, attacks["jsma"], jsma_shares, known)
            size = smallest_step(run, network, attacks["fgsm"], largest_epsilon, examples)
            run.record("fgsm", "median_smallest_epsilon", size, unit="max norm", **known)
            for row in ("linearized_model_linf", "deepfool_linf"):
                found = successes_and_sizes(run, network, row, attacks[row], examples)
                size = found.get("median_smallest", math.nan)
                run.record(row, "median_smallest_epsilon", size, unit="max norm", **known)
    run.attempt(lambda: draw(run, run.recipe(name, run.seeds[0]), attacks, figure_examples))
    run.finish()


def crafted(run: Run, network: Recipe, node: dict[str, Any], rows: Tensor) -> Split:
    """The test examples at `rows` (m,) int64 after the attack on the network."""
    search = run.attack(node, network)
    aims = run.aims(search)
    some = None if aims is None else aims[rows]
    return craft(search, run.trained(network).module, run.data.test.take(rows), some)


def successes_and_sizes(
    run: Run, network: Recipe, row: str, node: dict[str, Any], examples: int
) -> dict[str, float]:
    """The share of successes, and the mean and median size of their perturbations; kept.

    So are the seconds that it took, which go to `timing.csv` only.
    """

    def measure() -> dict[str, float]:
        rows = run.data.test.spaced(examples)
        run.trained(network)  # outside of what is timed
        start = time.perf_counter()
        found = crafted(run, network, node, rows)
        synchronise(run.device)
        spent = time.perf_counter() - start
        module = run.trained(network).module
        said = predictions(module, found.images)
        if run.aims(run.attack(node, network)) is None:
            won = said != found.labels
        else:
            won = said == run.target_classes[rows]
        known = answered(module, said)
        won &= known
        away = found.images - run.data.test.images[rows]
        l2, linf = norms.length(away, "l2"), norms.length(away, "linf")
        changed = 100 * (away != 0).flatten(1).double().mean(1)
        moved = won & (linf > 0)  # what is wrong already needs no perturbation
        figures = {
            "success_rate": 100 * won[known].double().mean().item(),
            "median_smallest": linf.where(won, torch.inf)[known].median().item(),
            "seconds": spent * 1000 / len(rows),
        }
        if moved.any():
            l2, linf, changed = l2[moved].double(), linf[moved].double(), changed[moved]
            figures |= {
                "mean_l2": l2.mean().item(),
                "median_l2": l2.median().item(),
                "mean_linf": linf.mean().item(),
                "median_linf": linf.median().item(),
                "mean_l0": changed.mean().item(),
                "distortion": l2.mean().item() / math.sqrt(away[0].numel()),
            }
        return figures

    content = {"models": [run.key(network)], "attack": node, "of": "successes, sizes and seconds"}
    found = run.measured(content, measure, examples, missing={})
    if found:
        run.seconds["attack on 1,000", f"{row}, seed {network.seed}"] = found["seconds"]
    return found


def forward_equivalents(run: Run, network: Recipe, node: dict[str, Any], examples: int) -> float:
    """Multiply–adds of the attack over those of one forward pass of the same examples; kept."""

    def measure() -> float:
        module, rows = run.trained(network).module, run.data.test.spaced(examples)
        with torch.no_grad():
            once = operations_of(lambda: module(run.data.test.images[rows]))
        return operations_of(lambda: crafted(run, network, node, rows)) / once

    content = {"models": [run.key(network)], "attack": node, "of": "forward equivalents"}
    return run.measured(content, measure, examples)


def report_every_class(
    run: Run, network: Recipe, jsma: dict[str, Any], shares: list[float], known: dict[str, int]
) -> None:
    """Success over all wrong classes of every example, for several budgets, and by class."""
    for share in shares:
        row = f"jsma, every class, {100 * share:g}% of the pixels"
        rates = every_class(run, network, jsma | {"share": share}, known["n"])
        for aim, (rate, n) in enumerate(rates):
            named = f"jsma, class {run.data.class_names[aim]}, {100 * share:g}% of the pixels"
            run.record(named, "success_rate", rate, seed=known["seed"], n=n)
        total = sum(n for _, n in rates)
        mean = sum(rate * n for rate, n in rates) / total if total else math.nan
        run.record(row, "success_rate", mean, **known)


def every_class(
    run: Run, network: Recipe, node: dict[str, Any], examples: int
) -> list[tuple[float, int]]:
    """For every class the success in percent of the examples that are not of it; kept.

    Returns:
        The rate and the number of examples, by class.
    """

    def measure() -> list[tuple[float, int]]:
        module, clean = run.trained(network).module, run.tested(examples)
        search, found = run.attack(node, network), []
        for aim in range(run.data.classes):
            others = clean.take((clean.labels != aim).nonzero().squeeze(1))
            aims = torch.full_like(others.labels, aim)
            said = predictions(module, craft(search, module, others, aims).images)
            found.append((percent(module, said == aims, said), len(others)))
        return found

    content = {"models": [run.key(network)], "attack": node, "of": "each class"}
    return run.measured(content, measure, examples, missing=[])


def smallest_step(
    run: Run, network: Recipe, fgsm: dict[str, Any], largest: float, examples: int
) -> float:
    """The ε at which one step breaks half of the examples; kept."""

    def measure() -> float:
        module, clean = run.trained(network).module, run.tested(examples)

        def error_at(epsilon: float) -> float:
            step = run.attack(fgsm | {"epsilon": epsilon}, network)
            return error_rate(module, craft(step, module, clean))

        return median_smallest(error_at, high=largest, tolerance=largest / 512)

    content = {"models": [run.key(network)], "attack": fgsm, "of": "smallest step",
               "largest": largest}  # fmt: skip
    return run.measured(content, measure, examples)


WORDS = {
    "fgsm": "FGSM", "fgsm_l2": "FGSM, L2", "fgsm_targeted": "FGSM, targeted", "pgd": "PGD",
    "lbfgs": "L-BFGS, targeted", "lbfgs_untargeted": "L-BFGS",
    "linearized_model": "linearized\nmodel, L2", "linearized_model_linf": "linearized\nmodel, max",
    "linearized_model_l1": "linearized\nmodel, L1", "deepfool": "DeepFool, L2",
    "deepfool_linf": "DeepFool, max", "virtual_adversarial": "virtual",
    "jsma": "JSMA, raising", "jsma_lowering": "JSMA, lowering", "feature": "hidden layer",
    "random_noise": "noise", "random_noise_l2": "noise, L2",
}  # fmt: skip
"""What the figure calls the attacks."""

NORMS = {"LBFGS": "l2", "JSMA": "l0", "Feature": "linf"}
"""The norm that an attack keeps small, where it has no choice of one."""


def draw(run: Run, network: Recipe, attacks: dict[str, Any], count: int) -> None:
    """The same digits under every attack, with what the network says of each."""
    module, test = run.trained(network).module, run.data.test
    shown = known_of_each_class(module, test, count)
    pictures = {"clean": test.images[shown]}
    for row, node in attacks.items():
        pictures[row] = crafted(run, network, node, shown).images
    said = {row: predictions(module, images) for row, images in pictures.items()}
    gallery(run.folder, "attack_comparison", pictures, said, test.labels[shown],
            class_names=run.data.class_names, provenance=run.heading(),
            **captions(Numbers(run.results.rows), attacks))  # fmt: skip


def captions(found: Numbers, attacks: dict[str, Any]) -> dict[str, Any]:
    """What stands in the figure beside the images: names, numbers and the finding."""
    words, numbers = {}, {}
    for row, node in attacks.items():
        epsilon = node.get("epsilon")
        at = "" if epsilon is None else f"\nε = {size(epsilon)}"
        words[row] = WORDS.get(row, row.replace("_", " ")) + at
        norm = node.get("norm") or NORMS.get(node["_target_"].rpartition(".")[2], "linf")
        if norm in ("l1", "l0"):
            length = f"{found.mean(row, 'mean_l0'):.2g}%\nof pixels"
        else:
            unit = "L2" if norm == "l2" else "max"
            length = f"{found.mean(row, f'median_{norm}'):.2f}\n{unit}"
        cost = found.mean(row, "forward_equivalents")
        numbers[row] = [f"{found.mean(row, 'success_rate'):.1f}%", length, f"{cost:,.0f}"]
    rates = {row: percentage(found.mean(row, "success_rate")) for row in attacks}
    finding = (
        f"FGSM succeeds on {rates['fgsm']} of the examples for {numbers['fgsm'][2]} forward passes"
    )
    if "lbfgs_untargeted" in attacks:
        finding += f", L-BFGS on {rates['lbfgs_untargeted']} for {numbers['lbfgs_untargeted'][2]}"
    if "random_noise" in attacks:
        finding += f"; noise of the same size on {rates['random_noise']}"
    return {
        "words": words, "numbers": numbers, "finding": finding,
        "heads": ["success", "median\nsize", "forward\npasses"],
        "note": "In each image's corner its class; framed, a mistake. Success counts what is wrong "
                "without an attack too. Size: of the perturbations that succeed, in the attack's "
                "norm; of pixels, the mean.",
    }  # fmt: skip
