"""What the figure of the categorical GAN shows: regions by their labels, samples by their class."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from advx.data.dataset import Dataset, Split
from advx.evaluation.clusters import NOBODY
from advx.experiments.categorical_gan import SIDE, grid_points, named_regions, samples_by_class
from advx.figures import categories
from advx.figures.saved import redraw, save


def test_cells_of_the_grid_run_row_by_row_from_the_lower_left() -> None:
    grid = grid_points(2.0)
    assert grid.shape == (SIDE**2, 2)
    step = 4 / SIDE
    torch.testing.assert_close(grid[0], torch.tensor([-2 + step / 2, -2 + step / 2]))
    torch.testing.assert_close(grid[1] - grid[0], torch.tensor([step, 0]))
    torch.testing.assert_close(grid[SIDE] - grid[0], torch.tensor([0, step]))


def test_regions_have_the_label_of_most_points_of_their_cluster() -> None:
    """Two clusters by the sign of x; a third one, far above, holds no point."""
    points = torch.tensor([[-1.0, 0], [-0.5, 0], [0.5, 0], [1, 0], [0.7, 0]])
    split = Split(points, torch.tensor([1, 1, 0, 1, 0]))
    data = Dataset("points", 2, split, split.take(torch.arange(0)), split)

    def clusters_of(x):
        return torch.where(x[:, 1] > 1, 2, (x[:, 0] > 0).long())

    regions = named_regions(SimpleNamespace(data=data), clusters_of, grid_points(2.0))
    assert regions.shape == (SIDE, SIDE)
    assert (regions[: SIDE // 2, : SIDE // 2] == 1).all()
    assert (regions[: SIDE // 2, SIDE // 2 :] == 0).all()
    assert (regions[-SIDE // 4 :] == NOBODY).all()


class Two(nn.Module):
    """Makes images that are all black or all gray; the gray ones are of class 2."""

    def __init__(self) -> None:
        super().__init__()
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))

    def draw(self, count):
        return torch.arange(count).view(-1, 1)

    def generate(self, z, condition=None):
        return (z % 5 == 4).float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2) / 2


def test_samples_stand_in_the_column_of_their_class() -> None:
    game = Two()
    with torch.no_grad():
        game.discriminator[1].weight.copy_(torch.tensor([[-1.0], [-2], [1]]).expand(3, 4))
    run = SimpleNamespace(data=SimpleNamespace(classes=3))
    shown = samples_by_class(run, SimpleNamespace(value=SimpleNamespace(game=game)), 12, 3)
    shown = shown.view(3, 3, 1, 2, 2)
    assert (shown[:, 0] == 0).all()  # equal logits: the first class
    assert (shown[:, 1] == 1).all()  # none is of this class
    assert (shown[:2, 2] == 0.5).all()
    assert (shown[2, 2] == 1).all()


@pytest.mark.parametrize("missing", [(), ("images",), ("regions_moons",)])
def test_the_figure_is_drawn_from_its_arrays_also_where_a_training_diverged(
    missing, tmp_path
) -> None:
    draw = np.random.default_rng(0)
    arrays = {"images": draw.integers(0, 255, (6, 1, 4, 4)).astype(np.uint8)}
    for name in ("circles", "moons"):
        arrays |= {
            f"regions_{name}": draw.integers(-1, 2, (3, 5, 5)),
            f"entropy_{name}": draw.random((5, 5)) * 100,
            f"points_{name}": draw.random((9, 2)),
            f"labels_{name}": draw.integers(0, 2, 9),
            f"samples_{name}": draw.random((9, 2)),
            f"entropies_{name}": draw.random((3, 4)) * 100,
            f"reach_{name}": np.array(2.0),
        }
    kept = {key: value for key, value in arrays.items() if key not in missing}
    options = {
        "planes": ["circles", "moons"],
        "classes": 2,
        "caption": "samples",
        "finding": "what was found",
        "provenance": "what ran",
    }
    save(tmp_path, categories.__name__.rpartition(".")[2], kept, options)
    redraw(tmp_path)
    assert (tmp_path / "categorical_gan.png").stat().st_size > 10_000
    assert (tmp_path / "categorical_gan.pdf").exists()
