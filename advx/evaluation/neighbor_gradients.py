"""The gradient of smoothed nearest neighbor's cost, by the formula and in the precision asked for.

The chapter's classifier (section 1.2.1) gives class i the probability yᵢ = Σₙ wₙ yᵢ⁽ⁿ⁾, with

    wₙ = exp(−dₙ) / Σₘ exp(−dₘ),   dₙ = ‖x − x⁽ⁿ⁾‖².

In exact arithmetic every way of writing −log y_y, and of its derivative, has the same gradient, and
that of the log-odds has the same direction. In floating point they differ:

- exp(−d) underflows: in float32 beyond d = 103, and 0 / 0 is left where all training images are
  that far away;
- 1 − y_y cancels: it is all of the gradient's size, and zero or noise once y_y rounds to 1;
- the own term of the distance, 2x Σₙ ∂J/∂dₙ, is zero exactly, and noise in every lit pixel.

What is computed here is what automatic differentiation of each formula computes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import ConfigDict
from torch import Tensor
from torch.nn import functional as F

from advx.attacks.objectives import log_odds
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.models.base import InstanceBasedClassifier
from advx.types import NonNegative, Positive, PositiveInt

Precision = Literal["float64", "float32", "bfloat16", "float16"]

Distances = Literal["expanded", "without_own_norm", "direct"]
"""‖x‖² − 2 x·x⁽ⁿ⁾ + ‖x⁽ⁿ⁾‖²; the same without ‖x‖²; or the sum of the squared differences."""

Normalization = Literal["printed", "shifted", "log", "by_class"]
"""As printed, exp(−d) over its sum; the same with the smallest distance subtracted first; the logs
of both sums, by log-sum-exp over training images; or log-sum-exp by class, then their softmax."""

Cost = Literal["cross_entropy", "log_odds"]
"""−log y_y, or log Σ_{i≠y} yᵢ − log y_y."""

UNDEFINED = 2
"""Stands for the sign of a NaN."""

BLOCK = 512
"""Training images whose differences from one image are in memory at once."""


@dataclass(frozen=True, kw_only=True)
class Formula:
    """One way to write the cost and to compute its gradient.

    Attributes:
        precision: of every number; sums inside matrix products are float32's in half precision.
        distances, normalization, cost: what is written.
        scale: pixels are multiplied by it, in [0, 1] before; 255 for gray levels.
        parts: sums over the training images are those of so many parts, added one by one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    precision: Precision
    distances: Distances
    normalization: Normalization
    cost: Cost
    scale: Positive = 1.0
    parts: PositiveInt = 1

    @property
    def kind(self) -> torch.dtype:
        """PyTorch's number format."""
        kind: torch.dtype = getattr(torch, self.precision)
        return kind


@measurement(version=1)
@torch.no_grad()
def gradient_signs(model: InstanceBasedClassifier, split: Split, formula: Formula) -> Tensor:
    """Signs of the gradient at every example, (n, features) int8; `UNDEFINED` for that of a NaN.

    Args:
        model: holds the training images.
        split: n examples with the labels that are to be left.
        formula: how the gradient is computed.
    """
    points = (model.images * formula.scale).to(formula.kind)
    classes = torch.repeat_interleave(
        torch.arange(model.classes, device=points.device),
        torch.tensor(model.counts, device=points.device),
    )
    found = []
    size = max(1, model.chunk_bytes // (4 * len(points) * points.element_size()))
    for x, y in zip(split.images.split(size), split.labels.split(size), strict=True):
        images = (x.flatten(1) * formula.scale).to(formula.kind)
        slope = gradient(images, y, points, classes, formula)
        signs = slope.sign().nan_to_num(UNDEFINED).to(torch.int8)
        found.append(torch.where(slope.isnan(), UNDEFINED, signs).to(torch.int8))
    return torch.cat(found)


def gradient(
    x: Tensor, labels: Tensor, points: Tensor, classes: Tensor, formula: Formula
) -> Tensor:
    """∇ₓ of the cost, (batch, features), up to a positive factor.

    Args:
        x: images (batch, features), scaled, in the formula's precision.
        labels: (batch,) int64.
        points: training images (n, features), likewise.
        classes: theirs, (n,) int64.
        formula: how it is computed.
    """
    distances = squared_distances(x, points, formula.distances)  # (batch, n)
    with torch.enable_grad():
        d = distances.requires_grad_()
        value = cost(d, labels, classes, formula)
        (weights,) = torch.autograd.grad(value.sum(), d)  # ∂J/∂d
    if formula.distances == "direct":
        return torch.stack([_direct(*each, points) for each in zip(x, weights, strict=True)])
    pulled = x.new_zeros(x.shape)
    for part in _parts(len(points), formula.parts):
        pulled = pulled + _product(weights[:, part], points[part])
    if formula.distances == "without_own_norm":
        return -pulled
    return x * _total(weights, formula.parts)[:, None] - pulled


def squared_distances(x: Tensor, points: Tensor, how: Distances) -> Tensor:
    """dₙ of every image, (batch, n); without ‖x‖² where that is left out."""
    if how == "direct":
        return torch.stack(
            [
                torch.cat([(part - each).square().sum(1) for part in points.split(BLOCK)])
                for each in x
            ]
        )
    norms = points.square().sum(1)
    d = norms - 2 * _product(x, points.T)
    return d if how == "without_own_norm" else x.square().sum(1, keepdim=True) + d


def cost(d: Tensor, labels: Tensor, classes: Tensor, formula: Formula) -> Tensor:
    """J (batch,) of the distances (batch, n), as the formula writes it."""
    own = classes == labels[:, None]  # (batch, n)
    if formula.normalization == "by_class":
        logits = torch.stack(
            [(-d[:, classes == k]).logsumexp(1) for k in range(int(classes.max()) + 1)], dim=1
        )
        if formula.cost == "log_odds":
            return log_odds(logits, labels)
        return F.cross_entropy(logits, labels, reduction="none")
    if formula.normalization == "log":
        mine = (-d).masked_fill(~own, -torch.inf).logsumexp(1)
        others = (-d).masked_fill(own, -torch.inf) if formula.cost == "log_odds" else -d
        return others.logsumexp(1) - mine
    shift = d.detach().amin(1, keepdim=True) if formula.normalization == "shifted" else 0
    e = torch.exp(shift - d)
    w = e / _total(e, formula.parts)[:, None]
    probability = _total(w * own, formula.parts)
    if formula.cost == "log_odds":
        return _total(w * ~own, formula.parts).log() - probability.log()
    return -probability.log()


def _direct(x: Tensor, weights: Tensor, points: Tensor) -> Tensor:
    """Σₙ ∂J/∂dₙ (x − x⁽ⁿ⁾) of one image, (features,), difference by difference."""
    parts = zip(points.split(BLOCK), weights.split(BLOCK), strict=True)
    return torch.stack([w @ (x - part) for part, w in parts]).sum(0)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a b, as processors multiply half precision: added up in float32, rounded at the end."""
    if a.dtype in (torch.float16, torch.bfloat16):
        return (a.float() @ b.float()).to(a.dtype)
    return a @ b


def _parts(n: int, parts: int) -> Iterator[slice]:
    size = -(-n // parts)
    return (slice(start, start + size) for start in range(0, n, size))


def _total(values: Tensor, parts: int) -> Tensor:
    """The sum over the training images, (batch, n) to (batch,), part by part."""
    total = values.new_zeros(len(values))
    for part in _parts(values.shape[1], parts):
        total = total + values[:, part].sum(1)
    return total


@measurement(version=1)
def stepped(split: Split, signs: Tensor, epsilon: NonNegative) -> Split:
    """The fast gradient sign method's step; where the sign is undefined, the pixel stays."""
    step = torch.where(signs == UNDEFINED, 0, signs).view_as(split.images)
    return Split(split.images + epsilon * step, split.labels)


@dataclass(frozen=True)
class SignErrors:
    """Where the signs of a gradient are not those of the exact one, in percent.

    Attributes:
        wrong_signs: of the components that are not zero, those with another sign, zero and
            undefined ones among them.
        zero_signs: of the same components, those that are zero.
        spurious_signs: of the components that are zero, those that are not.
        undefined_rate: of the examples, those of whose gradient a component is NaN.
        mostly_wrong: of the examples, those of whose signs that are not zero more than half are
            wrong.
    """

    wrong_signs: float
    zero_signs: float
    spurious_signs: float
    undefined_rate: float
    mostly_wrong: float


@measurement(version=2)
def sign_errors(signs: Tensor, exact: Tensor) -> SignErrors:
    """How signs differ from the exact ones, (n, features) int8 both."""
    moves, undefined = exact != 0, signs == UNDEFINED
    wrong = (signs != exact) & moves

    def percent(hits: Tensor, among: Tensor) -> float:
        return 100 * hits[among].double().mean().item() if among.any() else 0.0

    return SignErrors(
        wrong_signs=percent(wrong, moves),
        zero_signs=percent(signs == 0, moves),
        spurious_signs=percent((signs != 0) & ~undefined, ~moves),
        undefined_rate=100 * undefined.any(1).double().mean().item(),
        mostly_wrong=100 * (2 * wrong.sum(1) > moves.sum(1)).double().mean().item(),
    )
