"""How straight a network is along the sign of its gradient (the linearity hypothesis)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advx.attacks.gradient import linearized
from advx.attacks.noise import uniform
from advx.data.dataset import Split
from advx.evaluation.linearity import along_line, crossings, deviation, dual_lengths, tangent
from advx.evaluation.measurement import measurement
from advx.evaluation.slopes import slopes
from advx.evaluation.undefined import answered, no_number, percent
from advx.models.call import predicted


@dataclass(frozen=True)
class AfterStep:
    """What a step along one direction does.

    Attributes:
        error_rate: in percent.
        deviation: median distance of the logits from their tangent, as a part of their way.
        tangent_error_rate: of the tangent at the example, in percent.
        fooled_with_the_tangent: the model's mistakes among the tangent's, in percent; NaN of none.
    """

    error_rate: float
    deviation: float
    tangent_error_rate: float
    fooled_with_the_tangent: float


@measurement(version=1)
def straightness(
    model: nn.Module, examples: Split, epsilons: list[float], *, random: bool = False
) -> list[AfterStep]:
    """Steps of several sizes along the gradient's sign, compared with the tangent.

    Args:
        model: maps images to logits.
        examples: from which the steps start.
        epsilons: sizes of the steps, in the max norm.
        random: along random signs instead.

    Returns:
        One result a size.
    """
    x, y = examples.images, examples.labels
    direction = uniform(x, 0).sign() if random else slopes(model, x, y).sign()
    sizes = torch.tensor(epsilons, dtype=torch.float64)
    logits = along_line(model, x, direction, sizes)  # (n, sizes, classes)
    start, slope = tangent(model, x, direction)
    results = []
    for place, epsilon in enumerate(epsilons):
        z, along = logits[:, place], predicted(start + epsilon * slope)
        classes = predicted(z)
        away = deviation(z, start, slope, epsilon)
        away = away[~no_number(away)]  # of an example without a class
        fooled = (along != y) & answered(model, along) & answered(model, classes)
        results.append(
            AfterStep(
                error_rate=percent(model, classes != y, classes),
                deviation=away.double().median().item(),
                tangent_error_rate=percent(model, along != y, along),
                fooled_with_the_tangent=100 * (classes != y)[fooled].double().mean().item(),
            )
        )
    return results


@dataclass(frozen=True)
class Pieces:
    """Linear pieces within a step along the gradient's sign, medians over the examples.

    Attributes:
        pieces: how many.
        units_on_another_piece: changes of a unit's piece, in percent of the units.
        first_piece_ends: after which step, in the max norm; infinite within none.
    """

    pieces: float
    units_on_another_piece: float
    first_piece_ends: float


@measurement(version=1)
def linear_pieces(
    model: nn.Module,
    examples: Split,
    epsilon: float,
    *,
    first: float = 1e-6,
    steps: int = 80,
) -> Pieces | None:
    """Count the linear pieces; None for a model that has none.

    Args:
        model: maps images to logits.
        examples: from which the steps start.
        epsilon: the largest step, in the max norm.
        first: the smallest step after which a change is looked for, as a part of the largest.
        steps: looked at, spaced evenly in their logarithm.
    """
    x, y = examples.images, examples.labels
    kinks = epsilon * torch.logspace(math.log10(first), 0, steps).double()
    counted = crossings(
        model, x, slopes(model, x, y).sign(), torch.cat([kinks.new_zeros(1), kinks])
    )
    if counted is None:
        return None
    counts, units = counted  # counts (n, steps)
    changes = counts.sum(1).double()
    place = (counts > 0).double().argmax(1)
    ends = kinks.to(place.device)[place].where((counts > 0).any(1), math.inf)
    return Pieces(
        pieces=1 + changes.median().item(),
        units_on_another_piece=100 * changes.mean().item() / units,
        first_piece_ends=ends.median().item(),
    )


@dataclass(frozen=True)
class WeightLengths:
    """‖w‖₁ and ‖w‖₂ of random parts of a linear model's weights, by number of pixels.

    Attributes:
        by_sign: how far the logits move along the weights' signs, for ε = 1.
        by_random: along random signs, root mean square.
    """

    by_sign: list[float]
    by_random: list[float]


@measurement(version=1)
def weight_lengths(
    model: nn.Module, images: Tensor, pixels: list[int], *, draws: int = 20
) -> WeightLengths:
    """Means over pairs of logits and random choices of pixels.

    Args:
        model: linear in the pixels.
        images: (n, *shape), for their shape and device alone.
        pixels: numbers of pixels whose weights are added up.
        draws: random choices of so many pixels.
    """
    logits, gradient = linearized(model, torch.zeros_like(images[:1]))
    rows = [gradient(one[None]) for one in torch.eye(logits.shape[1]).to(logits)]
    jacobian = torch.cat(rows).flatten(1).cpu().double()  # (classes, pixels)
    pairs = [jacobian[i] - jacobian[j] for i in range(len(jacobian)) for j in range(i)]
    both = [dual_lengths(w, pixels, draws=draws) for w in pairs]
    sums, roots = (torch.stack(lengths).mean(0) for lengths in zip(*both, strict=True))
    return WeightLengths(sums.tolist(), roots.tolist())
