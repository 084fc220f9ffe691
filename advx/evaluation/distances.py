"""Euclidean distances that are right for near neighbors too.

‖a − b‖² = ‖a‖² + ‖b‖² − 2 a·b is fast, and wrong where a and b are nearly the same: the small
difference of large numbers is rounding. Here the numbers are float64 and centered, and the
pairs that are still too near each other are subtracted before they are squared.
"""

import torch
from torch import Tensor

EXACT = "donot_use_mm_for_euclid_dist"
"""The mode of `torch.cdist` that subtracts before it squares."""

NEAR = 1e-5
"""Of ‖a‖² + ‖b‖²: squared distances below are computed from the difference."""

PRECISION = 1e-9
"""Relative error of a distance, at most."""

DIRECT = 0.05
"""Share of near pairs from which all of them are subtracted."""

AT_ONCE = 2**22
"""Numbers of pairs subtracted at once; only memory depends on it."""


def distances(x: Tensor, y: Tensor) -> Tensor:
    """The distance of every row of x (n, m) to every row of y (k, m): (n, k) float64.

    Rows that are equal are at distance 0, and all others at one larger than 0.
    """
    middle = y.double().mean(0)
    a, b = x.double() - middle, y.double() - middle
    size = a.square().sum(1)[:, None] + b.square().sum(1)
    squared = torch.addmm(size, a, b.T, alpha=-2)
    row, column = (squared <= NEAR * size).nonzero(as_tuple=True)
    if len(row) > DIRECT * squared.numel():
        return torch.cdist(a, b, compute_mode=EXACT)
    count = max(1, AT_ONCE // a.shape[1])
    for i, j in zip(row.split(count), column.split(count), strict=True):
        squared[i, j] = (a[i] - b[j]).square().sum(1)
    return squared.sqrt_()
