"""A model behind a wall: it answers with classes, and every question is counted."""

from torch import Tensor, nn

from advx.errors import ConfigError
from advx.evaluation.transfer import predictions
from advx.evaluation.undefined import called
from advx.models.call import UNDEFINED


class LabelOracle:
    """The classes that `model` predicts, and nothing else of it.

    Attributes:
        queries: images asked about so far.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.queries = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Images (n, *shape) to classes (n,) int64.

        Raises:
            ConfigError: an answer is no class.
        """
        self.queries += len(images)
        said = predictions(self._model, images)
        missing = int((said == UNDEFINED).sum())
        if missing:  # no network can be trained on such an answer
            raise ConfigError(
                f"{called(self._model)}: the logits of {missing:,} of {len(images):,} images that "
                "the attacker asks about are NaN; valid: a target that gives every image a class"
            )
        return said
