"""The classifier that judges the pictures generated in a run, and what it says of real ones."""

from typing import Any

from torch import Tensor

from advx.errors import ConfigError
from advx.evaluation.judged import UNITS, features, quality
from advx.evaluation.sample_quality import drawn
from advx.run import Run


class Judge:
    """A network trained on the run's data, whose features and classes measure pictures.

    Args:
        run: the run.
        classifier: the network's node.
        trainer: its trainer's node.
        layer: the layer whose output is the features.
        samples: generated pictures of every measure.

    Attributes:
        recipe: of the network.
    """

    def __init__(
        self, run: Run, classifier: dict[str, Any], trainer: dict[str, Any], layer: str,
        samples: int,
    ) -> None:  # fmt: skip
        self.run = run
        self.layer = layer
        self.samples = samples
        self.recipe = run.recipe(classifier, 0, trainer=trainer, path="classifier")

    def depends_on(self, *games: str, **others: Any) -> dict[str, Any]:
        """What a measurement of these games' pictures (keys) and of `others` is kept under."""
        models = [*games, self.run.key(self.recipe)]
        return {"models": models, "features": self.layer, "samples": self.samples} | others

    @property
    def features(self) -> int:
        """Components of the layer's output."""
        some = self.run.data.test.images[:1]
        return features(self.run.trained(self.recipe).module, self.layer, some).shape[1]

    def quality(self, pictures: Tensor) -> dict[str, float]:
        """`evaluation.judged.quality` of pictures (n, *shape)."""
        return quality(self.run.trained(self.recipe).module, self.layer, self.run.data, pictures)

    def record(self) -> None:
        """The classifier's error, and the floor: what pictures get that are real.

        Those of the training set it knows; those of the validation set it does not, as it does not
        know generated ones; of so few that a Fréchet distance is undefined, nothing.

        Raises:
            ConfigError: too few generated pictures for one.
        """
        if self.samples <= self.features:
            raise ConfigError(
                f"samples={self.samples}: a Fréchet distance over the {self.features} features of "
                f"layer={self.layer} needs more; valid: from {self.features + 1}"
            )
        run, rate = self.run, self.run.error_rate(self.recipe)
        run.record("classifier", "error_rate", rate, seed=None, n=len(run.data.test),
                   note=f"store key {run.key(self.recipe)}")  # fmt: skip
        for name, split in (("training", run.data.train), ("validation", run.data.validation)):
            pictures = drawn(split.images, self.samples)

            def measure(pictures: Tensor = pictures) -> dict[str, float]:
                return self.quality(pictures) if len(pictures) > self.features else {}

            found = run.measured(self.depends_on(of=f"{name} pictures"), measure, missing={})
            run.record_all(f"{name} pictures", found, UNITS, seed=None, n=len(pictures))
