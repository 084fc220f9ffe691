"""One level of a Laplacian pyramid of games (section 1.4.4).

An image x is the blurred image of half its size, enlarged again, and a residual:

    l = up(down(x))       h = x − l

G makes a residual from l and a plane of noise; D is shown the image, residual and l together:

    G: (l, z) → 7 × 7 conv 64 → 7 × 7 conv 64 → 5 × 5 conv → h      D: l + h → 5 × 5 conv 64 →
       5 × 5 conv 64, stride 2 → dropout → one logit

Where the game is class-conditional, both players have a linear layer and a rectifier of their own
that make the one-hot class a plane, beside l and the noise for G, and beside the image for D.

The coarsest level is a game of its own. `pyramid` and `collapsed` take images apart and put them
together, exactly. Source: Denton et al. (2015), sections 2 and 3; the plane of the class as in the
authors' code.
"""

import torch
from torch import Tensor, nn

from advx.data.resize import doubled, halved
from advx.games.conditional_gan import one_hot_vectors
from advx.games.generative import GenerativeGame, NoiseName, UpdatesName
from advx.games.losses import GeneratorLossName
from advx.types import KeepProbability, Positive, PositiveInt, Probability, Shape


def pyramid(x: Tensor, levels: int) -> tuple[Tensor, list[Tensor]]:
    """The coarsest image, and the residuals of `levels` levels from fine to coarse.

    Raises:
        ValueError: a side cannot be halved that often.
    """
    residuals = []
    for _ in range(levels):
        coarse = halved(x)
        residuals.append(x - doubled(coarse))
        x = coarse
    return x, residuals


def collapsed(coarse: Tensor, residuals: list[Tensor]) -> Tensor:
    """The image that a pyramid is of."""
    for residual in reversed(residuals):
        coarse = doubled(coarse) + residual
    return coarse


def with_classes(images: Tensor, labels: Tensor) -> Tensor:
    """Images (n, channels, h, w) with one plane more, which holds the class (n,) in every pixel."""
    plane = labels.to(images).view(-1, 1, 1, 1).expand(-1, 1, *images.shape[2:])
    return torch.cat([images, plane], 1)


class ClassPlane(nn.Module):
    """Puts a learned plane in the place of the last plane, which holds the class.

    Args:
        classes: number of classes.
        size: height and width.
    """

    def __init__(self, classes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.classes = classes
        self.size = size
        self.linear = nn.Linear(classes, size[0] * size[1])

    def forward(self, x: Tensor) -> Tensor:
        labels = x[:, -1, 0, 0].round().long()
        plane = self.linear(one_hot_vectors(labels, self.classes, x)).relu()
        return torch.cat([x[:, :-1], plane.view(-1, 1, *self.size)], 1)


class LaplacianLevel(GenerativeGame):
    """The game of one level; its examples are the level's images, its condition their l.

    Where it is class-conditional, the condition is `with_classes` of l and the classes.

    Args:
        input_shape: shape of one image of this level, (channels, height, width), even sides.
        classes: number of classes, where both players are given the class; None: they are not.
        noise: p(z), a plane as large as the image.
        generator_filters: of G's two hidden layers.
        discriminator_filters: of D's two.
        keep_hidden: probability of keeping one of D's units below the logit.
        deviation: of G's last layer's initial weights: it begins by adding next to nothing.
        discriminator_steps: k, updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimizes.
        blend: the minimax loss's share in `loss=blended`.

    Raises:
        ValueError: a side is odd.
    """

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt | None = None,
        noise: NoiseName = "uniform",
        generator_filters: PositiveInt = 64,
        discriminator_filters: PositiveInt = 64,
        keep_hidden: KeepProbability = 0.5,
        deviation: Positive = 0.005,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
    ) -> None:
        channels, height, width = input_shape if len(input_shape) == 3 else (0, 1, 1)
        if height % 2 or width % 2:
            raise ValueError(f"laplacian_gan: images {input_shape} cannot be halved")
        super().__init__(height * width, noise, discriminator_steps, updates, loss, blend)
        self.size = (height, width)
        self.channels = channels
        self.classes = classes
        g, d = generator_filters, discriminator_filters
        planes = 0 if classes is None else 1
        self.generator = nn.Sequential(
            *self._class_plane(),
            nn.Conv2d(channels + 1 + planes, g, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(g, g, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(g, channels, 5, padding=2),
        )
        self.discriminator = nn.Sequential(
            *self._class_plane(),
            nn.Conv2d(channels + planes, d, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(d, d, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(1 - keep_hidden),
            nn.Linear(d * (height // 2) * (width // 2), 1),
        )
        last = self.generator[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.normal_(last.weight, 0.0, deviation)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def condition(self, images: Tensor, labels: Tensor) -> Tensor:
        """l of images (n, *shape), as large as they are, with their classes where they count."""
        coarse = doubled(halved(images))
        return coarse if self.classes is None else with_classes(coarse, labels)

    def generate(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        if condition is None:
            raise ValueError("a level of a pyramid needs the coarse images that it adds to")
        return condition[:, : self.channels] + self.residual(z, condition)

    def residual(self, z: Tensor, condition: Tensor) -> Tensor:
        """h for what `condition` makes of images (n, *shape)."""
        noise = z.view(-1, 1, *self.size)
        coarse, classes = condition[:, : self.channels], condition[:, self.channels :]
        return self.generator(torch.cat([coarse, noise, classes], 1))

    def discriminate(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if self.classes is None:
            return super().discriminate(x)
        if condition is None:
            raise ValueError("a class-conditional level needs the classes of its images")
        return super().discriminate(torch.cat([x, condition[:, self.channels :]], 1))

    def _class_plane(self) -> list[nn.Module]:
        """What stands before a player's convolutions."""
        return [] if self.classes is None else [ClassPlane(self.classes, self.size)]
