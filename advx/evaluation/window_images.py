"""Points of church windows as images: what ε along a direction does to the pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advx.data.dataset import Split
from advx.evaluation.church_windows import BasisName, LengthName, basis
from advx.evaluation.slopes import slopes
from advx.evaluation.space import SpaceName, in_pixels, in_space
from advx.evaluation.transfer import predictions


def window_steps(
    model: nn.Module,
    examples: Split,
    kind: BasisName,
    *,
    space: SpaceName,
    epsilon: float,
    length: LengthName,
) -> Tensor:
    """ε along both directions of each example's window, (n, 2, *shape), in the window's space."""
    placed, points = in_space(model, examples.images, space)
    return epsilon * basis(kind, points, slopes(placed, points, examples.labels), length=length)


def images_at(
    model: nn.Module,
    examples: Split,
    steps: Tensor,
    places: Sequence[tuple[float, float]],
    space: SpaceName,
) -> tuple[Tensor, Tensor]:
    """Points of the windows as images (n, places, *shape), and their classes (n, places).

    Args:
        model: maps images to logits.
        examples: n of them.
        steps: of `window_steps`, (n, 2, *shape).
        places: shares of either step.
        space: of the windows.
    """
    placed, points = in_space(model, examples.images, space)
    pixels = in_pixels(model, examples.images, steps, space)

    def moved(origin: Tensor, both: Tensor) -> list[Tensor]:
        return [origin + h * both[:, 0] + v * both[:, 1] for h, v in places]

    classes = [predictions(placed, x) for x in moved(points, steps)]
    return torch.stack(moved(examples.images, pixels), 1), torch.stack(classes, 1)
