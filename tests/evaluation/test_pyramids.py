"""A chain of levels by hand."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from advx.data.resize import doubled
from advx.evaluation.pyramids import chained, chained_images, detailed
from advx.randomness import seeded


class Level(nn.Module):
    """Adds z to what it is given, or makes z where it is given nothing.

    Where it is given a class too, it also adds it, a hundredth for each.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.side = side

    def draw(self, count):
        return torch.rand(count, self.side**2)

    def generate(self, z, condition=None):
        z = z.view(-1, 1, self.side, self.side)
        if condition is None:
            return z
        return condition[:, :1] + 0.5 * z + 0.01 * condition[:, 1:].sum(1, keepdim=True)


@pytest.mark.parametrize("classes", [None, torch.tensor([3, 0, 9, 9, 4])])
def test_a_chain_adds_each_levels_detail_to_the_one_before(classes) -> None:
    finer = [SimpleNamespace(game=Level(side)) for side in (4, 8)]
    thumbnails = 0.3 * torch.rand(5, 1, 2, 2)
    made = chained(thumbnails, finer, classes, seed=8)
    assert made[0] is thumbnails
    added = 0 if classes is None else 0.01 * classes.view(5, 1, 1, 1)
    for depth in (1, 2):
        with seeded(7 + depth):
            z = torch.rand(5, finer[depth - 1].game.side ** 2).view_as(made[depth])
        expected = (doubled(made[depth - 1]) + 0.5 * z + added).clamp(0, 1)
        torch.testing.assert_close(made[depth], expected)
    assert torch.equal(chained_images(thumbnails, finer, classes, seed=8), made[-1])
    assert torch.equal(detailed(finer[1], doubled(made[1]), classes, seed=9), made[2])
