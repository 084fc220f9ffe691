"""How a model withstands an attack on itself, and whether the attack has a gradient to follow."""

from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn

from advx.attacks.fgsm import FGSM
from advx.attacks.pgd import PGD
from advx.attacks.strongest import STAGES, Strongest
from advx.data.dataset import Split
from advx.evaluation.measurement import measurement
from advx.evaluation.slopes import zero_gradient_rate
from advx.evaluation.transfer import error_rate, predictions, refuse_other_aim
from advx.evaluation.undefined import answered


@dataclass(frozen=True)
class ErrorsByStage:
    """What the examples fell to, in percent of them all, by stage of the strongest attack."""

    clean: float
    fgsm: float
    pgd_log_odds: float
    pgd_margin: float
    multi_targeted: float
    restarts: float
    gradient_free: float

    @property
    def all(self) -> float:
        """The error rate under the whole attack, mistakes without any perturbation included."""
        return sum(astuple(self))


@measurement(version=1)
def errors_by_stage(model: nn.Module, attack: Strongest, examples: Split) -> ErrorsByStage:
    """Which stage of the strongest attack each example falls to.

    An example whose adversarial logits hold a NaN is left out.

    Args:
        model: that is attacked.
        attack: on the model itself.
        examples: with their labels.

    Raises:
        ConfigError: too many of the logits are NaN.
    """
    moved, fell = attack.traced(model, examples.images, examples.labels)
    fell = fell[answered(model, predictions(model, moved))]
    counts = torch.bincount(fell + 1, minlength=len(STAGES) + 1)[1:].tolist()
    rates = [100 * count / len(fell) for count in counts]
    return ErrorsByStage(**dict(zip(STAGES, rates, strict=True)))


@measurement(version=1)
def first_gradient_zero_rate(model: nn.Module, attack: FGSM | PGD, examples: Split) -> float:
    """Percent of the examples where the gradient of an attack's first step is exactly zero.

    An example whose gradient holds a NaN is left out.

    Raises:
        ConfigError: the attack aims at classes, which are not given.
    """
    refuse_other_aim(attack, aims=False)
    return zero_gradient_rate(model, examples, attack.objective)


@measurement(version=1)
def targeted_success_rate(model: nn.Module, adversarial: Split, targets: Tensor) -> float:
    """Percent of adversarial examples that a model gives the class that they were crafted for.

    Args:
        model: that predicts.
        adversarial: n of them.
        targets: (n,) int64, the classes.

    Raises:
        ConfigError: too many of the logits are NaN; few are left out.
    """
    return 100 - error_rate(model, Split(adversarial.images, targets))
