"""What an attack does to a model: how often it succeeds, how far it goes, and in what time."""

import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.data.dataset import Split
from advx.evaluation.benchmark import synchronize
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import craft, predictions
from advx.evaluation.undefined import answered


@dataclass(frozen=True)
class Outcome:
    """What an attack does; sizes are those of the perturbations that succeed, NaN of none.

    Attributes:
        success_rate: mistakes, or the classes wanted, in percent of the examples.
        mean_l2, median_l2, mean_linf, median_linf: norms.
        mean_l0: pixels changed, in percent.
        distortion: root mean square of a pixel's change.
        median_smallest: median max norm over all examples, infinite where an attack fails.
        seconds: for 1,000 examples.
    """

    success_rate: float
    mean_l2: float
    median_l2: float
    mean_linf: float
    median_linf: float
    mean_l0: float
    distortion: float
    median_smallest: float
    seconds: float


@measurement(version=2)
def successes(
    model: nn.Module,
    attack: Attack,
    clean: Split,
    targets: Tensor | None,
    wanted: Tensor | None,
) -> Outcome:
    """How often an attack succeeds, and how large the perturbations are.

    Args:
        model: crafted on and attacked.
        attack: the attack.
        clean: n examples.
        targets: (n, *any), what a targeted or guided attack is given.
        wanted: (n,) int64, the classes that count as its success; None for any mistake.
    """
    synchronize(clean.images.device)
    start = time.perf_counter()
    moved = craft(attack, model, clean, targets)
    synchronize(clean.images.device)
    spent = time.perf_counter() - start
    classes = predictions(model, moved.images)
    known = answered(model, classes)
    won = (classes != moved.labels if wanted is None else classes == wanted) & known
    away = moved.images - clean.images
    l2, linf = norms.length(away, "l2"), norms.length(away, "linf")
    changed = 100 * norms.changed_share(away)
    some = won & (linf > 0)  # what is wrong already needs no perturbation
    mean_l2 = l2[some].double().mean().item()
    return Outcome(
        success_rate=100 * won[known].double().mean().item(),
        mean_l2=mean_l2,
        median_l2=_median(l2[some]),
        mean_linf=linf[some].double().mean().item(),
        median_linf=_median(linf[some]),
        mean_l0=changed[some].mean().item(),
        distortion=mean_l2 / math.sqrt(away[0].numel()),
        median_smallest=linf.where(won, torch.inf)[known].median().item(),
        seconds=spent * 1000 / len(clean),
    )


def _median(values: Tensor) -> float:
    return values.double().median().item() if len(values) else math.nan
