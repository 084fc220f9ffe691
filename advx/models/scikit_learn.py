"""Any scikit-learn classifier, seen from outside: images in, classes out (section 1.2.1)."""

import importlib
from typing import Any

import torch
from torch import Tensor

from advx.errors import ConfigError, reason
from advx.models.base import FittedClassifier
from advx.types import PositiveInt, Shape


class ScikitLearn(FittedClassifier):
    """An estimator with `fit` and `predict`, on images as flat vectors.

    Its "logits" are 1 for the class that it predicts and 0 for the others: they have no gradient,
    and say no more than the class.

    Args:
        input_shape: shape of one image, (channels, height, width).
        classes: number of classes.
        estimator: the class, e.g. "sklearn.tree.DecisionTreeClassifier".
        arguments: its arguments. One that draws at random needs a `random_state`.

    Raises:
        ConfigError: it cannot be made, or is no classifier.
    """

    differentiable = False

    def __init__(
        self,
        *,
        input_shape: Shape,
        classes: PositiveInt,
        estimator: str,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(input_shape=input_shape, classes=classes)
        module, _, name = estimator.rpartition(".")
        try:
            made = getattr(importlib.import_module(module), name)(**(arguments or {}))
        except Exception as error:  # whatever importing or making it raises
            because = f"cannot be made ({reason(error)})"
            raise ConfigError(f"model.estimator={estimator}: {because}") from error
        if not all(
            callable(getattr(made, verb, None)) for verb in ("fit", "predict", "get_params")
        ):
            raise ConfigError(
                f"model.estimator={estimator}: no scikit-learn classifier; "
                "valid: e.g. sklearn.svm.SVC"
            )
        self.estimator = made

    def fit(self, images: Tensor, labels: Tensor) -> None:
        rows, classes = images.flatten(1).cpu().numpy(), labels.cpu().numpy()
        self.estimator.fit(rows, classes)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, *input_shape) to scores (batch, classes), 1 for the class predicted."""
        predicted = torch.from_numpy(self.estimator.predict(x.flatten(1).cpu().numpy())).to(
            x.device
        )
        return torch.nn.functional.one_hot(predicted.long(), self.classes).to(x.dtype)
