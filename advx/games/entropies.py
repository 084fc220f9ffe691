"""Entropies of a classifier's answers, in nats, from its logits (Springenberg 2016).

    H[p(y|x)]    of one example: how far the answer is from certain; at most log k
    H[mean p]    of the mean answer over a batch: how evenly the classes are used; at most log k

The second one is too small on small batches: with n independent examples by about (k − 1) / 2n
where every single answer is certain.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def conditional_entropy(logits: Tensor) -> Tensor:
    """E H[p(y|x)], a scalar, of logits (n, k)."""
    log_p = log_softmax(logits, 1)
    return -(log_p.exp() * log_p).sum(1).mean()


def marginal_entropy(logits: Tensor) -> Tensor:
    """H[mean p], a scalar, of logits (n, k); no gradient is lost where a mean answer underflows."""
    log_mean = log_softmax(logits, 1).logsumexp(0) - math.log(len(logits))
    return -torch.dot(log_mean.exp(), log_mean)
