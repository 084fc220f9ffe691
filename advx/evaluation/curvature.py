"""How far costs are from their tangents, and what size of one step that takes."""

from dataclasses import dataclass
from typing import Literal

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack
from advx.attacks.objectives import hard_label_cost, log_odds
from advx.data.dataset import Split
from advx.evaluation.linearity import along_line, tangent
from advx.evaluation.measurement import measurement
from advx.evaluation.slopes import slopes
from advx.evaluation.transfer import craft, predictions
from advx.models.call import UNDEFINED, predicted

COSTS = {"cross_entropy": hard_label_cost, "log_odds": log_odds}
CostName = Literal["cross_entropy", "log_odds"]
"""Functions of the logits whose course along a line is compared with their tangent."""

FIFTHS = 5


def cost_off_tangent(
    model: nn.Module, examples: Split, direction: Tensor, sizes: list[float], cost: CostName
) -> Tensor:
    """How far a cost along a line is from its tangent at the start, (n, sizes) float64.

    Args:
        model: maps images to logits.
        examples: n of them, with their labels.
        direction: of the line, like the images.
        sizes: how far along it.
        cost: which function of the logits and the label.

    Returns:
        |J(x + ε d) − J(x) − ε dᵀ∇J(x)| / |J(x + ε d) − J(x)|: 0 on a straight line, 1 for a cost
        that moves where its tangent does not; NaN for one that does not move.
    """
    function, labels = COSTS[cost], examples.labels
    start, slope = tangent(model, examples.images, direction)
    with torch.enable_grad():
        z = start.double().requires_grad_(True)
        here = function(z, labels)
        (gradient,) = torch.autograd.grad(here.sum(), z)
    here, rise = here.detach(), (gradient * slope.double()).sum(1)
    places = torch.tensor(sizes, dtype=torch.float64)
    logits = along_line(model, examples.images, direction, places).double()
    columns = []
    for place, size in enumerate(sizes):
        moved = function(logits[:, place], labels) - here
        columns.append((moved - size * rise).abs() / moved.abs())
    return torch.stack(columns, 1)


@measurement(version=1)
def cost_deviation(
    model: nn.Module, examples: Split, epsilons: list[float], *, cost: CostName
) -> list[float]:
    """Median of `cost_off_tangent` along the gradient's sign, one a size.

    Args:
        model: maps images to logits.
        examples: from which the steps start.
        epsilons: sizes of the steps, in the max norm.
        cost: the training cost, or the log-odds of a mistake.
    """
    sign = slopes(model, examples.images, examples.labels).sign()
    away = cost_off_tangent(model, examples, sign, epsilons, cost)
    return [column[~column.isnan()].median().item() for column in away.T]


@dataclass(frozen=True)
class Needed:
    """The size that one step needs, over the size that another attack finds.

    Attributes:
        ratios: medians in five equal parts of the examples, the straightest first.
        rank_correlation: Spearman's, of that ratio and the deviation from the tangent.
        n: examples behind them.
    """

    ratios: list[float]
    rank_correlation: float
    n: int


@measurement(version=1)
def needed(
    model: nn.Module,
    smallest: Attack,
    examples: Split,
    *,
    largest: float,
    steps: int,
    probe: float,
) -> Needed:
    """How much more one step needs than another attack, by how straight the model is there.

    Examples count that are right before and that `smallest` breaks; one that no single step breaks
    has an infinite ratio.

    Args:
        model: maps images to logits.
        smallest: an attack that finds its own size.
        examples: n of them.
        largest: step tried, in the max norm.
        steps: sizes tried up to it, evenly spaced.
        probe: the step at which the log-odds are compared with their tangent.
    """
    x, y = examples.images, examples.labels
    sign = slopes(model, x, y).sign()
    sizes = torch.linspace(0, largest, steps + 1, dtype=torch.float64)[1:]
    along = along_line(model, x, sign, sizes)  # (n, steps, classes)
    classes = predicted(along.flatten(0, 1)).view(len(x), steps)
    wrong = (classes != y[:, None]) & (classes != UNDEFINED)
    first = sizes.to(wrong.device)[wrong.double().argmax(1)].where(wrong.any(1), torch.inf)
    other = craft(smallest, model, examples)
    size = norms.length(other.images - x, "linf").double()
    broken = (predictions(model, x) == y) & (predictions(model, other.images) != y) & (size > 0)
    bend = cost_off_tangent(model, examples, sign, [probe], "log_odds")[:, 0]
    broken &= ~bend.isnan()
    ratio, bend = (first / size)[broken], bend[broken]
    parts = ratio[bend.argsort(stable=True)].tensor_split(FIFTHS)
    return Needed(
        ratios=[part.median().item() for part in parts],
        rank_correlation=float(spearmanr(bend.cpu().numpy(), ratio.cpu().numpy()).statistic),
        n=len(ratio),
    )
