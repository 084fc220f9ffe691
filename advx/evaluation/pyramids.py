"""Images from a Laplacian pyramid of games: each level adds detail to the one before."""

from torch import Tensor

from advx.data.resize import doubled
from advx.evaluation.measurement import measurement
from advx.evaluation.samples import generated_examples
from advx.games.laplacian_gan import with_classes
from advx.training.load_or_train import TrainedGame


def chained(
    thumbnails: Tensor, finer: list[TrainedGame], classes: Tensor | None = None, seed: int = 1
) -> list[Tensor]:
    """Images of every level, each made from the one before.

    Args:
        thumbnails: images (n, *shape) of the coarsest level, generated or real.
        finer: the games of the other levels, from coarse to fine.
        classes: (n,), where the games are given the class.
        seed: of the first finer level's z; the next one has the next.
    """
    images = [thumbnails]
    for depth, game in enumerate(finer):
        images.append(detailed(game, doubled(images[-1]), classes, seed + depth))
    return images


@measurement(version=1)
def chained_images(
    thumbnails: Tensor, finer: list[TrainedGame], classes: Tensor | None = None, seed: int = 1
) -> Tensor:
    """Images (n, *shape) of the finest level: the last of those that `chained` makes."""
    return chained(thumbnails, finer, classes, seed)[-1]


@measurement(version=1)
def detailed(
    game: TrainedGame, enlarged: Tensor, classes: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Enlarged images (n, *shape) with the detail that a level adds to them.

    Args:
        game: of the level.
        enlarged: the images.
        classes: (n,), where the game is given the class.
        seed: of z.
    """
    conditions = enlarged.cpu()
    if classes is not None:
        conditions = with_classes(conditions, classes)
    return generated_examples(game, len(enlarged), conditions, seed=seed).clamp(0, 1)
