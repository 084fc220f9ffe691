"""Languages of digits: Markov chains whose structure is known, and how strong it is.

    P = (1 − s) / k + s · Q        s the strength, k symbols, Q the structure

    sparse       three successors for each symbol, at .5, .3 and .15; the rest get .05 together
    cyclic       the next symbol, at .95: unchanged by a rotation of the symbols
    cyclichold   the same, but that a symbol repeats itself at a rate of its own, from .05 to .6
    unigram      independent symbols that are not equally likely
    uniform      independent symbols that are: no structure, whatever the strength

At s = 0 all are the last one. Languages on which a reader without pairs can, or cannot, be trained:
Sutskever et al. (2015).
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from advx.types import NonNegativeInt, PositiveInt, Probability

LanguageName = Literal["sparse", "cyclic", "cyclichold", "unigram", "uniform"]

SUCCESSORS = (0.5, 0.3, 0.15)
"""Of a symbol of `sparse`."""

NEXT = 0.95
"""Of `cyclic`; in `cyclichold` of the next symbol and of the same one together."""

HOLDS = (0.05, 0.6)
"""Rates at which the first and the last symbol of `cyclichold` repeat themselves."""


class Language(NamedTuple):
    """A stationary Markov chain.

    Attributes:
        first: probabilities (k,) of a sequence's first symbol, float64; those of every other too.
        transitions: (k, k), of the next symbol by row.
    """

    first: Tensor
    transitions: Tensor

    @property
    def bigrams(self) -> Tensor:
        """Probabilities (k, k) of two symbols in a row; they sum to 1."""
        return self.first[:, None] * self.transitions


def language(
    name: LanguageName = "sparse",
    *,
    symbols: PositiveInt = 10,
    strength: Probability = 1.0,
    seed: NonNegativeInt = 0,
) -> Language:
    """A language by its name.

    Args:
        name: of its structure.
        symbols: k, from 5 where the structure is `sparse`, from 3 where it is a cycle.
        strength: s, of the structure.
        seed: decides the successors of `sparse`.

    Raises:
        ValueError: fewer symbols than the structure has successors for.
    """
    fewest = {"sparse": 5, "cyclic": 3, "cyclichold": 3}.get(name, 1)
    if symbols < fewest:
        raise ValueError(f"symbols={symbols}: {name} is for {fewest} symbols or more")
    uniform = torch.full((symbols, symbols), 1 / symbols, dtype=torch.float64)
    structure = uniform if name == "uniform" else _structure(name, symbols, seed)
    transitions = (1 - strength) * uniform + strength * structure
    return Language(_stationary(transitions), transitions)


def _structure(name: LanguageName, k: int, seed: int) -> Tensor:
    """Q, (k, k)."""
    if name == "unigram":
        weights = torch.arange(1, k + 1, dtype=torch.float64)
        return (weights / weights.sum()).expand(k, k)
    here = torch.arange(k)
    likely = torch.zeros(k, k, dtype=torch.float64)
    if name == "sparse":
        draw = torch.Generator().manual_seed(seed)
        scores = torch.rand(k, k, generator=draw).fill_diagonal_(-1.0)  # no symbol follows itself
        order = scores.argsort(1, descending=True)
        for place, share in enumerate(SUCCESSORS):
            likely[here, order[:, place]] = share
    else:
        hold = torch.linspace(*HOLDS, k, dtype=torch.float64)
        if name == "cyclic":
            hold = torch.zeros(k, dtype=torch.float64)
        likely[here, here] = hold
        likely[here, (here + 1) % k] = NEXT - hold
    others = likely == 0
    return likely + others * (1 - likely.sum(1)).div(others.sum(1))[:, None]


def _stationary(transitions: Tensor) -> Tensor:
    """The distribution (k,) that a step of the chain leaves as it is."""
    k = len(transitions)
    equations = torch.cat([transitions.T - torch.eye(k), torch.ones(1, k)]).double()
    right = torch.zeros(k + 1, 1, dtype=torch.float64)
    right[-1] = 1
    return torch.linalg.lstsq(equations, right).solution.squeeze(1)


def drawn(spoken: Language, count: int, length: int, generator: torch.Generator) -> Tensor:
    """Independent sequences (count, length) int64 of a language."""
    cumulative = spoken.transitions.cumsum(1)
    symbols = [torch.multinomial(spoken.first, count, replacement=True, generator=generator)]
    for _ in range(length - 1):
        chance = torch.rand(count, 1, dtype=torch.float64, generator=generator)
        following = (cumulative[symbols[-1]] <= chance).sum(1)
        symbols.append(following.clamp(max=len(spoken.first) - 1))
    return torch.stack(symbols, 1)
