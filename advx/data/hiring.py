"""Hiring: a structural model of biased past decisions, whose leak and whose truth are known.

    A  in {0, 1}, with P(A = 1) = share              the protected attribute
    S  ~ N(0, 1), independent of A                   the skill, which nobody sees
    measures of the skill      S + noise · N(0, 1)   several; they say nothing of A
    proxies                    N(± …, 1)             several; they say nothing of S, and their means
                                                     differ between the groups by `leak` in all
    nuisances                  N(0, 1)               several
    qualified                  S > 0
    decision                   S + bias (2 A − 1) > 0

An applicant is all measures, proxies and nuisances, rotated once, so that no column is a proxy by
itself. A network that learns from the past decisions can use the proxies for what managers made of
A. What follows is exact, Φ being the normal distribution function and π = share:

    best guess of A       π Φ(l/2 + t/l) + (1 − π) Φ(l/2 − t/l),   l = leak, t = log π/(1 − π)
    gap of the decisions  Φ(bias) − Φ(−bias)
    best guess of qualified, right with probability 1/2 + arcsin(ρ)/π',   π' = 3.14…,
                          ρ² = measures / (measures + noise²)

and the best guess of the past decision is a mixture of two normal distribution functions.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.special import ndtr

from advx.data.dataset import Dataset, Split
from advx.types import NonNegative, NonNegativeInt, PositiveInt, Probability

LabelsName = Literal["decisions", "qualified"]
"""Past decisions, which are biased, or the truth: who is qualified."""

GRID = 1_201
"""Points of an axis on which the best guess is integrated."""

REACH = 8.0
"""Standard deviations that an axis reaches to."""


@dataclass(frozen=True)
class BestGuess:
    """What can be had of decisions that follow the past ones as well as possible.

    Attributes:
        decision_accuracy: how often they agree with past decisions.
        qualified_accuracy: how often they are right.
        gap: P(decision 1 | A = 1) − P(decision 1 | A = 0).
    """

    decision_accuracy: float
    qualified_accuracy: float
    gap: float


@dataclass(frozen=True, kw_only=True)
class Hiring:
    """The structural model.

    Attributes:
        share: P(A = 1), of the favored group.
        measures: of the skill.
        noise: standard deviation of a measure's error; the skill's is 1.
        proxies: columns that differ between the groups.
        leak: distance between the groups' means, in standard deviations; 0 for no leak.
        nuisances: columns that say nothing.
        bias: of the past decisions, in standard deviations of the skill.
    """

    share: Probability = 0.4
    measures: PositiveInt = 3
    noise: NonNegative = 1.0
    proxies: PositiveInt = 3
    leak: NonNegative = 2.0
    nuisances: NonNegativeInt = 2
    bias: NonNegative = 0.5

    @property
    def columns(self) -> int:
        """Of an applicant."""
        return self.measures + self.proxies + self.nuisances

    @property
    def base_rate(self) -> float:
        """How often a guess of A is right that looks at nothing."""
        return max(self.share, 1 - self.share)

    @property
    def leakage(self) -> float:
        """How often the best guess of A from an applicant is right."""
        if not self.leak or self.share in (0.0, 1.0):
            return self.base_rate
        odds = math.log(self.share / (1 - self.share)) / self.leak
        favored = self.share * phi(self.leak / 2 + odds)
        return favored + (1 - self.share) * phi(self.leak / 2 - odds)

    @property
    def past_gap(self) -> float:
        """P(decision 1 | A = 1) − P(decision 1 | A = 0) of the past decisions."""
        return phi(self.bias) - phi(-self.bias)

    @property
    def reliability(self) -> float:
        """ρ, the correlation of the skill and of its best estimate."""
        return math.sqrt(self.measures / (self.measures + self.noise**2))

    @property
    def qualified_accuracy(self) -> float:
        """How often the best guess of who is qualified is right."""
        return 0.5 + math.asin(self.reliability) / math.pi

    @property
    def best_guess(self) -> BestGuess:
        """The best guess of a past decision from an applicant, integrated on a grid."""
        axis = torch.linspace(-REACH, REACH, GRID, dtype=torch.float64)
        weight = torch.exp(-axis.square() / 2)
        weight = weight / weight.sum()
        spread = math.sqrt(max(1 - self.reliability**2, 1e-12))
        estimate = self.reliability * axis[:, None]  # of the skill
        sides = torch.tensor([-1.0, 1.0], dtype=torch.float64)
        shares = torch.tensor([1 - self.share, self.share], dtype=torch.float64)
        hired = ndtr((estimate + self.bias * sides) / spread)  # (estimate, group)
        truth = ndtr(estimate / spread)
        agrees, qualified, rates = 0.0, 0.0, []
        for group in (0, 1):
            proxy = axis + sides[group] * self.leak / 2
            odds = shares.log() - (proxy[:, None] - sides * self.leak / 2).square() / 2
            decided = hired @ odds.softmax(1).T > 0.5  # (estimate, proxy)
            mass = weight[:, None] * weight * shares[group]
            chance = hired[:, group, None]
            agrees += float((mass * torch.where(decided, chance, 1 - chance)).sum())
            qualified += float((mass * torch.where(decided, truth, 1 - truth)).sum())
            rates.append(float((weight[:, None] * weight * decided).sum()))
        return BestGuess(agrees, qualified, rates[1] - rates[0])

    @property
    def censored(self) -> "Hiring":
        """The same model of applicants from whom nothing of A can be recovered."""
        return replace(self, leak=0.0)

    def draw(self, count: int, labels: LabelsName, generator: torch.Generator) -> Split:
        """Applicants (count, columns), with labels (count,) and A (count,) as groups."""
        group = (torch.rand(count, generator=generator) < self.share).long()
        side = 2.0 * group - 1
        skill = torch.randn(count, generator=generator)
        rows = torch.randn(count, self.columns, generator=generator)
        rows[:, : self.measures] = skill[:, None] + self.noise * rows[:, : self.measures]
        proxies = slice(self.measures, self.measures + self.proxies)
        rows[:, proxies] += side[:, None] * self.leak / 2 / math.sqrt(self.proxies)
        threshold = -self.bias * side if labels == "decisions" else torch.zeros(count)
        return Split(rows @ rotation(self.columns), (skill > threshold).long(), group)


def phi(x: float) -> float:
    """The normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def rotation(size: int) -> Tensor:
    """Always the same orthogonal matrix (size, size)."""
    noise = torch.randn(size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.linalg.qr(noise).Q.float()


def load(
    *,
    labels: LabelsName = "decisions",
    share: Probability = 0.4,
    measures: PositiveInt = 3,
    noise: NonNegative = 1.0,
    proxies: PositiveInt = 3,
    leak: NonNegative = 2.0,
    nuisances: NonNegativeInt = 2,
    bias: NonNegative = 0.5,
    train: PositiveInt = 20_000,
    validation: PositiveInt = 5_000,
    test: PositiveInt = 20_000,
) -> Dataset:
    """Applicants (n, columns), always the same ones; labels as named, groups A.

    Args:
        labels: `qualified` labels the same applicants with the truth.
        share, measures, noise, proxies, leak, nuisances, bias: see `Hiring`.
        train, validation, test: applicants of each split.
    """
    model = Hiring(
        share=share,
        measures=measures,
        noise=noise,
        proxies=proxies,
        leak=leak,
        nuisances=nuisances,
        bias=bias,
    )

    def part(seed: int, count: int) -> Split:
        return model.draw(count, labels, torch.Generator().manual_seed(seed))

    return Dataset(
        "hiring",
        2,
        part(0, train),
        part(1, validation),
        part(2, test),
        class_names=("rejected", "hired") if labels == "decisions" else ("no", "qualified"),
        group_names=("disadvantaged", "favored"),
    )
