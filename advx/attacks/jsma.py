"""The Jacobian-based saliency map attack (Papernot et al. 2016b), section 1.2.4: few pixels.

With a = ∂z_t/∂x and c = −Σ_{j≠t} ∂z_j/∂x on the logits z, t the target class, the pair of pixels
p, q that maximizes

    (a_p + a_q) · (c_p + c_q),    both sums positive,

is changed by θ each, until the model says t or the budget is spent; for decreasing pixels both
signs are turned. (On the softmax outputs, which sum to 1, c would equal a and say nothing.)

The paper differentiates the outputs F as they are. So a and c depend on a number added to all of
an image's logits, and predictions do not. Only one combination of the two is the same for every
such number, the gradient of z_t less the mean of the logits; to go by it alone is another attack,
as then c = a. Logits as a network makes them are therefore taken as in the paper. Where a
convention sets the constant, as of log-probabilities or with one class at 0 (`by_convention`), it
would decide what the attack can do: of the logits (0, z), c is 0, and no pair is ever positive.
There the logits count less their mean, so that (0, z) is attacked as (−z/2, z/2).

A pixel that has reached its end is not chosen again, as in the paper; nor is one so near to it that
the change would be less than `SATURATED` of θ. Digits are full of such pixels, and a pair of them
would be paid for like any other.

The best of all n (n − 1) / 2 pairs is found exactly. The score grows with all four numbers, so a
pixel that two others dominate in both a and c can be left out: the best pair lies in the first two
Pareto layers of the points (a, c), a few dozen of the 784. Where a and c are opposed the layers are
large: then blocks of neighboring points are compared first, and only the pairs of blocks that can
hold the best pair are looked into.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advx.attacks.base import Attack
from advx.attacks.gradient import linearized
from advx.attacks.norms import ordinary, vanished
from advx.attacks.targets import likeliest_wrong
from advx.models.call import UNDEFINED, predicted
from advx.types import Interval, Positive, Probability

SATURATED = 0.05
"""A change of less than this part of θ is none."""

UNIT = 1e-3
"""The logsumexp of log-probabilities is no larger, as rounding leaves it."""

FLAT = 1e-4
"""Its gradient is no larger, as a part of the gradient that the mean of the logits has."""

PAIRS_AT_ONCE = 2**22
"""Pairs whose scores are in memory together."""

ROWS_TOGETHER = 64
"""Examples with about as large layers that are searched together."""

WIDE = 1024
"""Points in the layers, above which blocks are compared first."""

BLOCK = 64
"""Neighboring points in a block, at least."""

BLOCKS = 2048
"""Blocks, at most: each is compared with each."""


ROUNDING = 1e-6
"""Pixels by which a share of them may come out too small: .145 · 400 is less than 58."""


class JSMA(Attack):
    """Changes pairs of pixels until the class is reached.

    Args:
        theta: the change of a pixel.
        share: part of the components that may be changed; half as many pairs. Each channel of a
            colored pixel is one of its own.
        increase: raise pixels; otherwise lower them.
        clip: range of the pixels; one that reaches its end is not chosen again.
        targeted: labels are the classes to be reached, as in the paper; otherwise they are to be
            left, toward the likeliest wrong class.
    """

    clip: Interval

    def __init__(
        self,
        *,
        theta: Positive = 1.0,
        share: Probability = 0.145,
        increase: bool = True,
        clip: Interval = (0.0, 1.0),
        targeted: bool = False,
    ) -> None:
        self.sign = 1 if increase else -1
        self.change = self.sign * theta
        self.share = share
        self.end = clip[1] if increase else clip[0]
        self.clip = clip
        self.targeted = targeted

    def perturb(self, model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        """Images with some pairs of pixels changed.

        An example whose budget is spent, or that has no pair left, comes back as changed so far.
        """
        targets = labels if self.targeted else likeliest_wrong(model, images, labels)
        x = images.flatten(1).clone()  # (batch, pixels)
        enough = SATURATED * abs(self.change)
        active = torch.arange(len(x), device=x.device)
        steps = int(self.share * x.shape[1] + ROUNDING) // 2
        for _ in range(steps):
            logits, gradient = linearized(model, x[active].view(-1, *images.shape[1:]))
            classes = predicted(logits)
            remains = (classes != targets[active]) & (classes != UNDEFINED)
            if not remains.any():
                break
            one = torch.zeros_like(logits).scatter(1, targets[active, None], 1.0)
            active = active[remains]
            target = self.sign * gradient(one).flatten(1)[remains]  # (active, pixels)
            total = self.sign * gradient(torch.ones_like(one)).flatten(1)[remains]
            centered = by_convention(logits, gradient)[remains, None]
            target = torch.where(centered, target - total / logits.shape[1], target)
            total = torch.where(centered, 0, total)
            room = self.sign * (self.end - x[active])
            pair, exists = best_pair(target, target - total, room > enough)
            active, pair = active[exists], pair[exists]
            x[active[:, None], pair] = (x[active[:, None], pair] + self.change).clamp(*self.clip)
        return x.view_as(images)


def by_convention(logits: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """Which examples' logits have a constant that a convention sets, (batch,) bool.

    They are log-probabilities, whose logsumexp is 0 around the image too, or one class's logit is 0
    there: a mean of the logits is 0, and so is its gradient.

    Args:
        logits: (batch, classes).
        gradient: from weights (batch, classes) to the input gradient of the weighted sum.
    """
    found = torch.zeros_like(logits[:, 0], dtype=torch.bool)
    zero = logits == 0
    if zero.any():
        found |= zero.any(1) & vanished(gradient(zero.to(logits)))
    unit = logits.logsumexp(1).abs() < UNIT
    if unit.any():
        probabilities = logits.softmax(1)
        slope = gradient(probabilities).flatten(1).abs().amax(1)
        largest = gradient(probabilities - 1 / logits.shape[1]).flatten(1).abs().amax(1)
        found |= unit & (slope <= FLAT * largest)
    return found


def best_pair(a: Tensor, c: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """The pair of places that maximizes (a_p + a_q) (c_p + c_q), both sums positive.

    Args:
        a: (batch, n).
        c: (batch, n).
        allowed: places that may be chosen, (batch, n) bool.

    Returns:
        The two places of each row, (batch, 2) int64, and whether there is such a pair, (batch,).
    """
    a, c = a.masked_fill(~allowed, -torch.inf), c.masked_fill(~allowed, -torch.inf)
    a, c = (ordinary(v, v.amax(1, keepdim=True))[0] for v in (a, c))  # so are their products
    order = a.argsort(stable=True, dim=1, descending=True)
    descending = c.gather(1, order)
    first = _records(descending)
    members = first | _records(descending.masked_fill(first, -torch.inf))
    counts = members.sum(1)
    pairs = torch.zeros(len(a), 2, dtype=torch.int64, device=a.device)
    best = torch.full_like(a[:, 0], -torch.inf)
    narrow = counts <= WIDE
    for row in (~narrow).nonzero().squeeze(1).tolist():
        there = order[row][members[row]]
        best[row], places = _among_blocks(a[row, there], c[row, there])
        pairs[row] = there[places]
    by_count = counts.argsort()
    for group in by_count[narrow[by_count]].split(ROWS_TOGETHER):
        width = int(counts[group].max()) if len(group) else 0
        for rows in group.split(max(1, PAIRS_AT_ONCE // max(1, width**2))):
            places, real = _packed(order[rows], members[rows], width)
            score = _scores(a[rows].gather(1, places), c[rows].gather(1, places), real)
            if width:
                best[rows], flat = score.flatten(1).max(1)
                pairs[rows, 0] = places.gather(1, (flat // width)[:, None]).squeeze(1)
                pairs[rows, 1] = places.gather(1, (flat % width)[:, None]).squeeze(1)
    return pairs, best > 0


def _among_blocks(a: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """The best pair of many points, whose neighbors are alike: its score and places, (2,).

    Args:
        a: (n,), descending.
        c: (n,).
    """
    size = max(BLOCK, -(-len(a) // BLOCKS))
    missing = -len(a) % size
    a, c = (nn.functional.pad(v, (0, missing), value=-torch.inf).view(-1, size) for v in (a, c))
    first, second = torch.triu_indices(len(a), len(a), device=a.device)
    top_a, top_c = a.amax(1), c.amax(1)
    sum_a, sum_c = top_a[first] + top_a[second], top_c[first] + top_c[second]
    bound = torch.where((sum_a > 0) & (sum_c > 0), sum_a * sum_c, -torch.inf)  # of any pair inside
    bound, order = bound.sort(descending=True, stable=True)
    best, places = a.new_tensor(-torch.inf), torch.zeros(2, dtype=torch.int64, device=a.device)
    for part in range(0, len(order), max(1, PAIRS_AT_ONCE // size**2)):
        chosen = order[part : part + max(1, PAIRS_AT_ONCE // size**2)]
        chosen = chosen[(bound[part : part + len(chosen)] > best)]
        if len(chosen) == 0:
            break
        p, q = first[chosen], second[chosen]
        sum_a = a[p][:, :, None] + a[q][:, None, :]
        sum_c = c[p][:, :, None] + c[q][:, None, :]
        score = torch.where((sum_a > 0) & (sum_c > 0), sum_a * sum_c, -torch.inf)
        score[p == q] = score[p == q].masked_fill(_below(size, a.device), -torch.inf)
        top, flat = score.flatten().max(0)
        if top > best:
            best, where = top, int(flat)
            block, row, column = where // size**2, where // size % size, where % size
            places = torch.stack([p[block] * size + row, q[block] * size + column])
    return best, places


def _below(size: int, device: torch.device) -> Tensor:
    """The diagonal and what is below it, (size, size) bool: no pairs, or pairs seen already."""
    return torch.ones(size, size, dtype=torch.bool, device=device).tril()


def _records(values: Tensor) -> Tensor:
    """Where each row's value exceeds all before it, (batch, n) bool."""
    before = values.cummax(1).values[:, :-1]
    start = torch.full_like(values[:, :1], -torch.inf)
    return values > torch.cat([start, before], 1)


def _packed(order: Tensor, members: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The members' places in the first columns, (rows, width), and which columns are real."""
    places = torch.zeros(len(order), width, dtype=torch.int64, device=order.device)
    row, column = members.nonzero(as_tuple=True)
    places[row, (members.cumsum(1) - 1)[row, column]] = order[row, column]
    return places, torch.arange(width, device=order.device) < members.sum(1, keepdim=True)


def _scores(a: Tensor, c: Tensor, real: Tensor) -> Tensor:
    """(a_p + a_q) (c_p + c_q) of all pairs p < q, −inf where one is not real or not positive."""
    both = real[:, :, None] & real[:, None, :]
    pair = torch.ones(a.shape[1], a.shape[1], dtype=torch.bool, device=a.device).triu(1)
    sum_a, sum_c = a[:, :, None] + a[:, None, :], c[:, :, None] + c[:, None, :]
    valid = both & pair & (sum_a > 0) & (sum_c > 0)
    return (sum_a * sum_c).masked_fill(~valid, -torch.inf)
