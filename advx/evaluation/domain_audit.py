"""Whether a representation still says which domain an image is from, and what a reader would see.

The critic that the features were trained against may only be beaten; critics that are trained
afresh on the same features ask whether the domain is gone (`advx.evaluation.audit`). The embedding
is t-SNE (van der Maaten and Hinton 2008), as scikit-learn has it.
"""

from typing import NamedTuple

import numpy as np
from torch import nn

from advx.data.dataset import Split
from advx.data.domains import SOURCE, TARGET, of_domain
from advx.evaluation.audit import representations
from advx.evaluation.measurement import measurement
from advx.types import PositiveInt

PERPLEXITY = 30.0
"""Of the embedding; less where there are few images."""


class Embedding(NamedTuple):
    """Images as points of the plane.

    Attributes:
        points: (n, 2).
        domains: (n,), 0 for the source and 1 for the target.
        labels: (n,), classes.
    """

    points: np.ndarray
    domains: np.ndarray
    labels: np.ndarray


def of_both(source: Split, target: Split, count: PositiveInt) -> Split:
    """As many examples of either domain, `count` or as many as both have; groups are domains."""
    n = min(count, len(source), len(target))
    parts = [
        of_domain(split.take(split.spaced(n)), domain)
        for split, domain in ((source, SOURCE), (target, TARGET))
    ]
    return parts[0].joined(parts[1])


@measurement(version=1)
def embedding(model: nn.Module, examples: Split, seed: int = 0) -> Embedding:
    """A model's representations of examples (with domains as groups) in the plane, by t-SNE."""
    from sklearn.manifold import TSNE

    assert examples.groups is not None
    codes = representations(model, examples.images).numpy()
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(codes)
    return Embedding(points, examples.groups.cpu().numpy(), examples.labels.cpu().numpy())
