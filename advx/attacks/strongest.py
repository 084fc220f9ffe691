"""The worst of several attacks for each example: does a defense hold, or does it hide the gradient?

Each attack is tried only on the examples that withstood all before it:

1. `fgsm`             one step along the log-odds;
2. `pgd_log_odds`     iterated, from the example itself;
3. `pgd_margin`       iterated along the margin, from a random start;
4. `multi_targeted`   Auto-PGD toward the likeliest wrong classes, one after the other: two starts
                      toward each, of half as many steps;
5. `restarts`         Auto-PGD along the margin, from further random starts;
6. `gradient_free`    the search over sign vectors, which needs no gradient.

Gradient steps start at the ball's diameter, and shrink to nothing or halve where they do not pay. A
model whose gradient is masked is found out by what the last ones still break.
"""

from functools import partial
from typing import TypedDict

import torch
from torch import Tensor, nn

from advx.attacks.apgd import APGD
from advx.attacks.base import Attack
from advx.attacks.fgsm import FGSM
from advx.attacks.multi_targeted import MultiTargeted
from advx.attacks.pgd import PGD
from advx.attacks.sign_search import SignSearch
from advx.attacks.targets import predicted_logits
from advx.models.call import UNDEFINED, predicted
from advx.types import Interval, NonNegative, NonNegativeInt, NormName, PositiveInt

STAGES = (
    "clean",
    "fgsm",
    "pgd_log_odds",
    "pgd_margin",
    "multi_targeted",
    "restarts",
    "gradient_free",
)
"""What an example can fall to, in this order; "clean" is a mistake without any perturbation."""


class Ball(TypedDict):
    """Where an attack searches: the radius, the norm, and the range of the images."""

    epsilon: float
    norm: NormName
    clip: Interval | None


class Strongest(Attack):
    """Attacks in a row, each on the survivors of those before.

    Args:
        epsilon: radius of the ball in `norm`, in the units of the images.
        norm: the max norm (`linf`) or the Euclidean norm (`l2`).
        steps: gradient steps of each start, but half as many toward each of the targets.
        targets: wrong classes to ascend toward.
        restarts: further random starts along the margin.
        queries: forward passes an example may cost the gradient-free search.
        searched: examples of one call that the gradient-free search is tried on, at most, the first
            that withstand all else; None for all of them.
        clip: range that the adversarial images are clipped to; None to let them leave [0, 1].
        batch_size: examples at once.
    """

    batches_itself = True  # batches of survivors

    def __init__(
        self,
        *,
        epsilon: NonNegative,
        norm: NormName = "linf",
        steps: PositiveInt = 50,
        targets: NonNegativeInt = 9,
        restarts: NonNegativeInt = 2,
        queries: NonNegativeInt = 500,
        searched: NonNegativeInt | None = None,
        clip: Interval | None = None,
        batch_size: PositiveInt = 1000,
    ) -> None:
        self.clip = clip
        self.searched = searched
        self.batch_size = batch_size
        ball: Ball = {"epsilon": epsilon, "norm": norm, "clip": clip}
        ascent = partial(PGD, **ball, steps=steps, schedule="linear", stop_on_success=True)
        self.attacks: dict[str, Attack] = {
            "fgsm": FGSM(**ball),
            "pgd_log_odds": ascent(random_start=False),
            "pgd_margin": ascent(objective="margin"),
        }
        if targets:
            half = (steps + 1) // 2
            self.attacks["multi_targeted"] = MultiTargeted(**ball, steps=half, targets=targets)
        if restarts:
            further = partial(APGD, objective="margin", stop_on_success=True)
            self.attacks["restarts"] = further(**ball, steps=steps, restarts=restarts)
        if queries and searched != 0:
            self.attacks["gradient_free"] = SignSearch(**ball, queries=queries)
        if epsilon == 0:
            self.attacks.clear()  # the ball is a point: only clean mistakes are left to find

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """What `_traced` finds, and not by what."""
        return self._traced(model, images, labels)[0]

    def traced(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Adversarial images (n, *shape), and the index in `STAGES` of each example's stage.

        The index is (n,) int64, −1 for an example that withstood every attack, or in whose ball
        nothing but a NaN was found: then its image is one whose answer is that.

        Raises:
            ConfigError: as every attack.
        """
        with self.promised(model, images, labels) as (x, y):
            return self._traced(model, x, y)

    def _traced(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        best = images.clone()
        stage = torch.full_like(labels, -1)
        classes = self._classes(model, images)
        stage[(classes != labels) & (classes != UNDEFINED)] = 0
        for name, attack in self.attacks.items():
            active = (stage < 0).nonzero().squeeze(1)
            if name == "gradient_free":
                active = active[: self.searched]
            for part in active.split(self.batch_size) if len(active) else ():
                x = attack.perturb(model, images[part], labels[part])
                classes = self._classes(model, x)
                changed = classes != labels[part]
                best[part[changed]] = x[changed]
                succeeds = changed & (classes != UNDEFINED)
                stage[part[succeeds]] = STAGES.index(name)
        return best, stage

    def _classes(self, model: nn.Module, images: Tensor) -> Tensor:
        """The class of each image, (n,) int64; `UNDEFINED` where the logits hold a NaN."""
        classes = [torch.zeros(0, dtype=torch.int64, device=images.device)]
        for part in images.split(self.batch_size) if len(images) else ():
            classes.append(predicted(predicted_logits(model, part)))
        return torch.cat(classes)
