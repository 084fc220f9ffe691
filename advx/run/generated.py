"""What experiments on generated images add to their tables alike."""

from advx.config.cells import metrics_of
from advx.data.dataset import Dataset
from advx.evaluation.image_quality import MANIFOLD, UNITS, ImageQuality
from advx.evaluation.samples import warning_rates
from advx.run.model import Game
from advx.run.run import Run


def behind_quality(data: Dataset, images: int) -> dict[str, int]:
    """How many examples are behind each number of `image_quality`.

    Precision and density are rates of the images that were looked at, recall and coverage of the
    test images, and the two-sample accuracy of those of both kinds that its classifier is scored
    on.

    Args:
        data: whose test images they are compared with.
        images: how many there are.
    """
    fewest = min(images, len(data.test)) // 2 * 2
    seen, known = min(images, MANIFOLD), min(len(data.test), MANIFOLD)
    rates = {"precision": seen, "density": seen, "recall": known, "coverage": known}
    every = dict.fromkeys(metrics_of(ImageQuality), images)
    return every | rates | {"two_sample_accuracy": fewest}


def add_warnings(run: Run, row: str, game: Game) -> None:
    """Add in how many of its epochs a game had each warning, and how many stood at the end."""
    epochs = game.recipe.trainer["max_epochs"]
    run.table.add(row, run.measure(warning_rates, game), seed=game.seed, n=epochs, unit=UNITS)
