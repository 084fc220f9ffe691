"""The black-box attack of Papernot et al. 2016a, section 1.2.1: learn the target from its answers.

The attacker has a few images of their own and may ask the target for the class of any image, no
more. A substitute network F is trained on the answers; then every image asked about so far is moved
along the substitute's slope for the class it was given,

    x + λ · sign(∂ F(x)[O(x)] / ∂x),

and the target O is asked about the moved images too: their number doubles with every round. λ
changes its sign every few rounds. What fools the substitute is then shown to the target.

The sign of ∂F[c]/∂x for the probability F[c] is that of its log-odds, which do not vanish where the
substitute is certain.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from advx.attacks.gradient import input_gradient
from advx.attacks.inputs import within
from advx.attacks.noise import uniform
from advx.attacks.objectives import hard_label_cost, log_odds
from advx.config.check import checked
from advx.models.base import adapt, constrain
from advx.models.call import logits_of
from advx.types import Interval, NonNegative, NonNegativeInt, Positive, PositiveInt

Oracle = Callable[[Tensor], Tensor]
"""From images (n, *shape) to their classes (n,) int64."""

BATCH = 1_000
"""Images moved at once; only memory and speed depend on it."""


class SubstituteTraining:
    """Jacobian-based data set augmentation.

    Args:
        rounds: times that the images are moved and asked about.
        epochs: passes over all answers before the first round and after each.
        step: λ, in the units of the images.
        flip_every: rounds after which λ changes its sign.
        random_direction: move along random signs instead: the control for the slope's part in it.
        learning_rate: Adam's.
        batch_size: examples in a minibatch.
        clip: range that the moved images are clipped to, the one that the target takes; None for
            none.
    """

    @checked
    def __init__(
        self,
        *,
        rounds: NonNegativeInt = 6,
        epochs: PositiveInt = 10,
        step: NonNegative = 0.1,
        flip_every: PositiveInt = 3,
        random_direction: bool = False,
        learning_rate: Positive = 0.001,
        batch_size: PositiveInt = 128,
        clip: Interval | None = (0.0, 1.0),
    ) -> None:
        self.rounds = rounds
        self.epochs = epochs
        self.step = step
        self.flip_every = flip_every
        self.random_direction = random_direction
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.clip = clip

    def train(
        self, substitute: nn.Module, oracle: Oracle, images: Tensor, seed: int
    ) -> Iterator[int]:
        """Train the substitute in place, from its present parameters.

        Args:
            substitute: a network from images to logits.
            oracle: the target.
            images: (n, *shape), the attacker's own; no label is needed.
            seed: decides the order of the examples, and what the substitute draws in training.

        Images that the target gives no class (its logits hold a NaN) are not learned from.

        Yields:
            After every training, the number of images asked about so far: n, 2n, 4n, ...
        """
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(substitute.parameters(), self.learning_rate)
        labels = oracle(images)
        adapt(substitute, images)
        for number in range(self.rounds + 1):
            if number:
                moved = self.moved(substitute, images, labels, number - 1)
                images = torch.cat([images, moved])
                labels = torch.cat([labels, oracle(moved)])
            with torch.random.fork_rng([images.device] if images.is_cuda else []):
                torch.manual_seed(seed * (self.rounds + 1) + number)  # of dropout, for instance
                self._fit(substitute, optimizer, images, labels, generator)
            yield len(images)

    def moved(self, substitute: nn.Module, images: Tensor, labels: Tensor, number: int) -> Tensor:
        """Every image moved in round `number`, counted from 0: (n, *shape) to (n, *shape).

        One without a class (−1) stays where it is, as no slope is that of its answer.

        Raises:
            ConfigError: an image outside of the clip range.
        """
        step = self.step * (-1) ** (number // self.flip_every)
        images = within(images, self.clip)
        parts = []
        for x, y in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            if self.random_direction:
                direction = uniform(x, number).sign()
            else:
                slope = input_gradient(substitute, x, y.clamp(min=0), log_odds)
                known = (y >= 0).view(-1, *[1] * (x.dim() - 1))  # (m, 1, …)
                direction = -slope.sign() * known
            parts.append(x + step * direction)
        points = torch.cat(parts)
        return points if self.clip is None else points.clamp(*self.clip)

    def _fit(
        self,
        substitute: nn.Module,
        optimizer: torch.optim.Optimizer,
        images: Tensor,
        labels: Tensor,
        generator: torch.Generator,
    ) -> None:
        """Minimize the cross-entropy of the answers for `epochs` passes."""
        substitute.train()
        for _ in range(self.epochs):
            order = torch.randperm(len(images), generator=generator).to(images.device)
            for rows in order[labels[order] >= 0].split(self.batch_size):
                cost = hard_label_cost(logits_of(substitute, images[rows]), labels[rows]).mean()
                optimizer.zero_grad(set_to_none=True)
                cost.backward()
                optimizer.step()
                constrain(substitute)
        substitute.eval()
