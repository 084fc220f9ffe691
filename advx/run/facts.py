"""Measurements of a training itself."""

from advx.evaluation.measurement import measurement
from advx.training.load_or_train import TrainedModel


@measurement(version=1)
def best_epoch(training: TrainedModel) -> float:
    """The epoch with the smallest validation error, whose parameters were saved."""
    return training.best_epoch


@measurement(version=1)
def epochs(training: TrainedModel) -> float:
    """Epochs trained."""
    return training.epochs


@measurement(version=1)
def validation_error(training: TrainedModel) -> float:
    """The saved parameters' error rate on the validation set, in percent."""
    return training.validation_error
