"""How confident a model is of images, near its training data and far from them.

A probability near 1 says little about how extreme a prediction is; its log-odds,
log p − log(1 − p), go on growing where the probability has long been rounded to 1.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.data.dataset import Split
from advx.evaluation.distances import distances
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH
from advx.evaluation.undefined import answered
from advx.models.call import logits_of, predicted
from advx.types import Probability

Outputs = Literal["softmax", "independent"]
"""What a model's logits stand for: the classes' probabilities together, or each one's log-odds."""

ROWS = 100
"""Examples whose distances to all others are computed at once; only memory depends on it."""


def log_odds(logits: Tensor, outputs: Outputs) -> Tensor:
    """Every class's log p − log(1 − p): logits (batch, classes) to (batch, classes) float64.

    With a softmax z_k − log Σ_{i≠k} exp(z_i); with independent outputs the logits themselves.
    """
    z = logits.double()
    if outputs == "independent":
        return z
    others = z[:, None, :].expand(-1, z.shape[1], -1)  # (batch, class, other class)
    itself = torch.eye(z.shape[1], dtype=torch.bool, device=z.device)
    return z - others.masked_fill(itself, -torch.inf).logsumexp(2)


@torch.no_grad()
def all_log_odds(model: nn.Module, split: Split, outputs: Outputs) -> tuple[Tensor, Tensor]:
    """The split's log-odds (n, classes) in evaluation mode, and which examples have some, (n,)."""
    with evaluating(model):
        logits = torch.cat([logits_of(model, x) for x in split.images.split(BATCH)])
    defined = answered(model, predicted(logits))
    return torch.cat([log_odds(z, outputs) for z in logits.split(BATCH)]), defined


@dataclass(frozen=True)
class Confidence:
    """Of the class that a model finds most probable, its label or not.

    Attributes:
        confident_rate: percent of the examples where its probability exceeds the threshold.
        median_confidence: the median probability, in percent.
        median_log_odds: the median of its log-odds, in nats.
    """

    confident_rate: float
    median_confidence: float
    median_log_odds: float


@measurement(version=1)
def confidence(
    model: nn.Module, split: Split, *, outputs: Outputs, threshold: Probability
) -> Confidence:
    """How sure a model is of examples, whatever their labels.

    Args:
        model: the model.
        split: n examples.
        outputs: what its logits stand for.
        threshold: the probability above which it is confident.

    Raises:
        ConfigError: too many examples have NaN logits; few are left out.
    """
    odds, defined = all_log_odds(model, split, outputs)
    largest = odds[defined].amax(1)
    p = largest.sigmoid()
    return Confidence(
        100 * (p > threshold).double().mean().item(),
        100 * p.median().item(),
        largest.median().item(),
    )


@measurement(version=1)
def median_change(model: nn.Module, before: Split, after: Split, *, outputs: Outputs) -> float:
    """Median absolute change of the log-odds of the examples' own class, in nats.

    Args:
        model: the model.
        before: n examples.
        after: the same ones, moved.
        outputs: what the model's logits stand for.
    """
    old, known = all_log_odds(model, before, outputs)
    new, still_known = all_log_odds(model, after, outputs)
    change = (new - old).gather(1, before.labels[:, None]).squeeze(1)
    return change[known & still_known].abs().median().item()


@measurement(version=1)
def median_distance(split: Split, training: Split) -> float:
    """Median Euclidean distance of the split's examples to the nearest training example."""
    data = training.images.flatten(1)
    nearest = [distances(x, data).amin(1) for x in split.images.flatten(1).split(ROWS)]
    return torch.cat(nearest).median().item()


@measurement(version=1)
def brightened(split: Split, factor: float) -> Split:
    """The examples with every pixel times a factor."""
    return Split(split.images * factor, split.labels)


@dataclass(frozen=True)
class OneDimension:
    """Logistic regression of one number, for every pair of classes.

    A pair whose means are the same lies on no line, and is left out.

    Attributes:
        log_odds: of the positive class, (pairs, places), in nats.
        beyond: percent of the pair's training examples at or beyond each place, (pairs, places).
    """

    log_odds: list[list[float]]
    beyond: list[list[float]]


@measurement(version=1)
def one_dimension(training: Split, *, places: list[float]) -> OneDimension:
    """Logistic regression of examples on a line, where −1 and 1 are the means of two classes.

    The line goes through the means of the two classes' images. The regression is scikit-learn's
    with its usual penalty, without which classes that do not overlap would have no solution.

    Args:
        training: n examples; those whose class is hidden do not count.
        places: where on the line the regression is asked.
    """
    images, labels = training.images.flatten(1).double(), training.labels
    log_odds_of, beyond = [], []
    for negative, positive in combinations(labels[labels >= 0].unique().tolist(), 2):
        low, high = images[labels == negative], images[labels == positive]
        middle, half = (low.mean(0) + high.mean(0)) / 2, (high.mean(0) - low.mean(0)) / 2
        if not half.any():
            continue
        x = (torch.cat([low, high]) - middle) @ half / half.square().sum()
        y = torch.cat([torch.zeros(len(low)), torch.ones(len(high))])
        fitted = LogisticRegression().fit(x[:, None].cpu().numpy(), y.numpy())
        slope, start = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        log_odds_of.append([slope * place + start for place in places])
        beyond.append([100 * (x >= place).double().mean().item() for place in places])
    return OneDimension(log_odds_of, beyond)
