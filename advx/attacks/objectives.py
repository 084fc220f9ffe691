"""What an attack maximizes: functions of logits (batch, classes) and labels (batch,), to (batch,).

For hard labels the gradient of the cross-entropy is (1 − p_y) times that of the log-odds
lse_{i≠y} zᵢ − z_y: the same direction. In float32 the factor rounds to zero on confidently
classified examples, sign(0) = 0, and the attack does nothing; the log-odds never saturates.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from advx.errors import ConfigError

Objective = Callable[[Tensor, Tensor], Tensor]
ObjectiveName = Literal[
    "log_odds", "margin", "cross_entropy", "training_cost", "reconstruction_error"
]


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """log P(not y) − log P(y) = lse_{i≠y} zᵢ − z_y, the log-odds of a mistake."""
    target = labels[:, None]  # (batch, 1)
    others = logits.scatter(1, target, -torch.inf)  # (batch, classes)
    return others.logsumexp(1) - logits.gather(1, target).squeeze(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """−log P(y | x), as it stands: its gradient vanishes in float32 once P(y | x) rounds to 1."""
    return F.cross_entropy(logits, labels, reduction="none")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """max_{i≠y} zᵢ − z_y: positive exactly where the prediction is wrong."""
    target = labels[:, None]
    others = logits.scatter(1, target, -torch.inf)  # (batch, classes)
    return others.amax(1) - logits.gather(1, target).squeeze(1)


def targeted_ratio(logits: Tensor, pairs: Tensor) -> Tensor:
    """(z_t − z_y) / (z₁ − (z₃ + z₄) / 2): the targeted DLR loss of Croce and Hein 2020.

    z₁, z₃ and z₄ are the largest, third and fourth largest logits. That a common factor of the
    logits cancels changes the gradient's direction too, and so the way that an ascent takes. With
    fewer than four classes, or where these logits are all equal or one is infinite, z_t − z_y.

    Args:
        logits: (batch, classes).
        pairs: (batch, 2) int64, the label y and the class t.
    """
    label, target = logits.gather(1, pairs).unbind(1)
    if logits.shape[1] < 4:
        return target - label
    first, _, third, fourth = logits.topk(4).values.unbind(1)
    spread = first - (third + fourth) / 2
    return (target - label) / torch.where((spread > 0) & spread.isfinite(), spread, 1)


def hard_label_cost(logits: Tensor, labels: Tensor) -> Tensor:
    """−log P(y | x) as softplus of the log-odds: the same value, its gradient never rounds to 0."""
    return F.softplus(log_odds(logits, labels))


def reconstruction_error(outputs: Tensor, images: Tensor) -> Tensor:
    """‖output − image‖₂² of an autoencoder: outputs and images (batch, *shape), to (batch,).

    The images take the labels' place: `attack(autoencoder, x, x)`. Their noise-free originals may
    stand there too.

    Raises:
        ConfigError: the model's outputs are not images.
    """
    if outputs.shape != images.shape:
        raise ConfigError(
            f"attack.objective=reconstruction_error: outputs of shape {tuple(outputs.shape)} are "
            f"no reconstruction of {tuple(images.shape)}; valid for an autoencoder, which is given "
            "images instead of labels"
        )
    return (outputs - images).square().flatten(1).sum(1)


EXACT: tuple[Objective, ...] = (log_odds, cross_entropy)
"""Objectives that add up exponentials: of close logits float32 holds their sum, not its changes."""


def in_float64(asked: Objective, logits: Tensor, labels: Tensor) -> Tensor:
    """The objective (batch,) in float64, from logits in float64 where it is one of `EXACT`."""
    return asked(logits.double() if asked in EXACT else logits, labels).double()


def objective_named(name: ObjectiveName, training_cost: Objective | None = None) -> Objective:
    """The objective called `name`; `training_cost` is that of the model's own defense.

    Raises:
        ConfigError: the training cost is asked for and the model was not trained.
    """
    if name == "training_cost":
        if training_cost is None:
            raise ConfigError(
                "attack.objective=training_cost: the crafting model was not trained with a cost; "
                "valid: log_odds, margin, cross_entropy"
            )
        return training_cost
    return {
        "log_odds": log_odds,
        "margin": margin,
        "cross_entropy": cross_entropy,
        "reconstruction_error": reconstruction_error,
    }[name]
