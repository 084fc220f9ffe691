"""The classifier that judges the pictures generated in a run, and what it says of real ones."""

from functools import cached_property
from typing import Any

from torch import Tensor

from advx.errors import ConfigError
from advx.evaluation.judged import UNITS, features, quality
from advx.evaluation.sample_quality import NEIGHBORS, drawn
from advx.run import Run
from advx.training.construct import construct


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
        found = {"models": models, "features": self.layer, "samples": self.samples}
        return found | {"distances": "float64"} | others

    @cached_property
    def features(self) -> int:
        """Components of the layer's output; nothing is trained to know it."""
        network = construct(self.recipe, self.run.data).eval()
        return features(network, self.layer, self.run.data.test.images[:1].cpu()).shape[1]

    def quality(self, pictures: Tensor) -> dict[str, float]:
        """`evaluation.judged.quality` of pictures (n, *shape)."""
        return quality(self.run.trained(self.recipe).module, self.layer, self.run.data, pictures)

    def record(self) -> None:
        """The classifier's error, and the floor: what pictures get that are real.

        Those of the training set it knows; those of the validation set it does not, as it does not
        know generated ones; of so few that a Fréchet distance is undefined, nothing.

        Raises:
            ConfigError: too few generated pictures or test images for one; nothing is trained then.
        """
        self._refuse_too_few()
        run, rate = self.run, self.run.error_rate(self.recipe)
        run.record("classifier", "error_rate", rate, seed=None, n=len(run.data.test),
                   note=f"store key {run.key(self.recipe)}")  # fmt: skip
        for name, split in (("training", run.data.train), ("validation", run.data.validation)):
            pictures = drawn(split.images, self.samples)

            def measure(pictures: Tensor = pictures) -> dict[str, float]:
                return self.quality(pictures) if len(pictures) > self.features else {}

            found = run.measured(self.depends_on(of=f"{name} pictures"), measure, missing={})
            run.record_all(f"{name} pictures", found, UNITS, seed=None, n=len(pictures))

    def _refuse_too_few(self) -> None:
        """Refuse so few pictures that no measure is defined, before anything is trained.

        Raises:
            ConfigError: what there is too little of, and the key that changes it.
        """
        fewest = max(self.features, NEIGHBORS) + 1
        why = f"a Fréchet distance over the {self.features} features of layer={self.layer}"
        if self.samples < fewest:
            raise ConfigError(f"samples={self.samples}: {why} needs more; valid: from {fewest}")
        data, node = self.run.data, self.run.config["dataset"]
        if len(data.test) >= fewest:
            return
        limit = (node.get("limit") or {}).get("test")
        if limit is not None:
            key, advice = f"dataset.limit.test={limit}", ""
        elif node.get("training_share"):
            key = f"dataset.training_share={node['training_share']}"
            advice = ", with a smaller share or more images"
        elif "test" in node:
            key, advice = f"dataset.test={node['test']}", ""
        else:
            key, advice = f"dataset={data.name}", ", so more images"
        raise ConfigError(
            f"{key}: leaves {len(data.test)} test images, but {why} needs more; valid: from "
            f"{fewest} test images{advice}"
        )
