"""Learning rate and momentum of the authors' SGD, shared by classifiers and games."""

import math


def decayed(rate: float, divisor: float, floor: float, update: int) -> float:
    """The rate in update number `update` (from 0), divided after every one; at least `floor`."""
    return max(rate * math.exp(-update * math.log(divisor)), floor)


def ramped(first: float, final: float, epochs: int, epoch: int) -> float:
    """From `first` in epoch 1 to `final` in epoch `epochs` and after, linearly."""
    return first + min(1.0, (epoch - 1) / max(1, epochs - 1)) * (final - first)
