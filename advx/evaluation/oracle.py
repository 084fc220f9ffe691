"""A model behind a wall: it answers with classes, and every question is counted."""

from torch import Tensor, nn

from advx.evaluation.transfer import predictions


class LabelOracle:
    """The classes that `model` predicts, and nothing else of it.

    Attributes:
        queries: images asked about so far.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.queries = 0

    def __call__(self, images: Tensor) -> Tensor:
        """Images (n, *shape) to classes (n,) int64."""
        self.queries += len(images)
        return predictions(self._model, images)
