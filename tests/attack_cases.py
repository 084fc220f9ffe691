"""Every attack with its keywords and its promises: a new one joins by adding a row to `ATTACKS`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from advx.attacks.apgd import APGD
from advx.attacks.feature import Feature
from advx.attacks.fgsm import FGSM
from advx.attacks.jsma import JSMA
from advx.attacks.lbfgs import LBFGS
from advx.attacks.linearized_model import LinearizedModel
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.pgd import PGD
from advx.attacks.random_noise import RandomNoise
from advx.attacks.rubbish import Rubbish
from advx.attacks.sign_search import SignSearch
from advx.attacks.strongest import Strongest
from advx.attacks.virtual_adversarial import VirtualAdversarial


@dataclass
class Case:
    """How to make an attack, and which promises it makes.

    Args:
        make: the class.
        given: its keywords.
        ball: the norm in which `epsilon` bounds the perturbation; None for an attack without one.
        receives: what stands in the labels' place.
        gradient: whether it needs one.
        always: it uses its whole epsilon, whatever the model says.
        leaves_the_image: what it returns is near the image; rubbish is not.
    """

    make: Callable[..., Any]
    given: dict[str, Any]
    ball: str | None = "linf"
    receives: str = "labels"
    gradient: bool = True
    always: bool = False
    leaves_the_image: bool = True

    def __call__(self, **changed: Any) -> Any:
        if self.ball is not None:
            changed = {"epsilon": 0.2} | changed
        return self.make(**(self.given | changed))

    def beside(self, images: Tensor, labels: Tensor, classes: int) -> Tensor:
        """What the attack is given beside the images (n, *shape) of these labels (n,)."""
        others = {"target_classes": (labels + 1) % classes, "guide_images": images.flip(0)}
        return others.get(self.receives, labels)


ATTACKS = {
    "fgsm": Case(FGSM, {}, always=True),
    "fgsm, l2": Case(FGSM, {"norm": "l2"}, ball="l2", always=True),
    "fgsm, targeted": Case(FGSM, {"targeted": True}, receives="target_classes", always=True),
    "pgd": Case(PGD, {"steps": 6, "restarts": 2}),
    "pgd, shrinking": Case(PGD, {"steps": 6, "schedule": "linear"}),
    "pgd, l2": Case(
        PGD, {"norm": "l2", "steps": 6, "objective": "margin", "stop_on_success": True}, ball="l2"
    ),
    "apgd": Case(APGD, {"steps": 12, "restarts": 2}),
    "apgd, l2": Case(
        APGD, {"norm": "l2", "steps": 12, "objective": "margin", "stop_on_success": True}, ball="l2"
    ),
    "apgd, targeted": Case(
        APGD, {"steps": 12, "random_start": False, "targeted": True}, receives="target_classes"
    ),
    "multi_targeted": Case(MultiTargeted, {"steps": 5, "targets": 2}),
    "strongest": Case(Strongest, {"steps": 5, "restarts": 1, "queries": 30}),
    "sign_search": Case(SignSearch, {"queries": 40}, gradient=False),
    "sign_search, l2": Case(SignSearch, {"queries": 40, "norm": "l2"}, ball="l2", gradient=False),
    "lbfgs": Case(
        LBFGS,
        {"searches": 4, "evaluations": 20, "targeted": True},
        ball=None,
        receives="target_classes",
    ),
    "lbfgs, untargeted": Case(LBFGS, {"searches": 3, "evaluations": 20}, ball=None),
    "linearized_model": Case(LinearizedModel, {}, ball=None),
    "linearized_model, linf": Case(LinearizedModel, {"norm": "linf", "classes": 2}, ball=None),
    "linearized_model, l1": Case(LinearizedModel, {"norm": "l1", "steps": 4}, ball=None),
    "deepfool": Case(LinearizedModel, {"steps": 20}, ball=None),
    "deepfool, targeted": Case(
        LinearizedModel, {"steps": 20, "targeted": True}, ball=None, receives="target_classes"
    ),
    "virtual_adversarial": Case(VirtualAdversarial, {}, ball="l2", receives="nothing", always=True),
    "virtual_adversarial, linf": Case(
        VirtualAdversarial, {"norm": "linf"}, receives="nothing", always=True
    ),
    "jsma": Case(JSMA, {"targeted": True}, ball=None, receives="target_classes"),
    "jsma, lowering": Case(
        JSMA,
        {"increase": False, "theta": 0.4, "targeted": True},
        ball=None,
        receives="target_classes",
    ),
    "jsma, untargeted": Case(JSMA, {}, ball=None),
    "feature": Case(Feature, {"layer": "layers.1", "evaluations": 20}, receives="guide_images"),
    "random_noise": Case(RandomNoise, {}, receives="nothing", gradient=False, always=True),
    "random_noise, uniform": Case(
        RandomNoise, {"kind": "uniform"}, receives="nothing", gradient=False, always=True
    ),
    "random_noise, gaussian": Case(
        RandomNoise,
        {"kind": "gaussian", "norm": "l2"},
        ball="l2",
        receives="nothing",
        gradient=False,
        always=True,
    ),
    "rubbish": Case(
        Rubbish, {"steps": 2}, ball=None, receives="target_classes", leaves_the_image=False
    ),
}
