"""What a representation still says of a protected attribute, and what decisions do to its groups.

    leakage     how often a critic that was trained afresh recovers the group from the
                representation of examples that it has not seen, beside the base rate: how often a
                guess is right that looks at nothing
    parity      of decisions ŷ about groups a and labels y (Hardt et al. 2016; differences as
                fairlearn defines them):
                demographic parity   max over a − min over a of P(ŷ = 1 | a)
                equalized odds       the larger of the same differences of P(ŷ = 1 | a, y = 1) and
                                     of P(ŷ = 1 | a, y = 0)

The critic that a representation was trained against is no judge of it: it may only be beaten. Nor
is one kind of critic enough, so there are three. Source of the warning: Elazar and Goldberg (2018).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.data.dataset import Split
from advx.errors import ConfigError
from advx.evaluation.measurement import measurement
from advx.evaluation.transfer import BATCH, predictions
from advx.training.load_or_train import TrainedGame

CriticName = Literal["logistic_regression", "mlp", "boosted_trees"]
"""A linear critic, a network with one hidden layer of 100 ReLUs, gradient-boosted trees."""


@dataclass(frozen=True)
class Leakage:
    """What a fresh critic recovers.

    Attributes:
        accuracy: percent of the test examples whose group it names.
        low, high: Wilson's 95% interval of the accuracy.
        base_rate: percent of the test examples in the training examples' largest group.
        bits: of information about the group, by the critic's probabilities: the entropy of guesses
            by the training examples' shares, less the critic's own cross-entropy. A lower bound,
            which grows where the accuracy still is the base rate; it may be slightly below 0.
        n: test examples.
    """

    accuracy: float
    low: float
    high: float
    base_rate: float
    bits: float
    n: int


@dataclass(frozen=True)
class Parity:
    """How differently decisions treat the groups, all in percent.

    Attributes:
        demographic_parity_difference: between the groups' shares of decision 1, at most.
        equalized_odds_difference: between their true or their false positive rates, at most; NaN
            where a group has no example of either label.
        lowest_rate, highest_rate: the groups' smallest and largest share of decision 1.
    """

    demographic_parity_difference: float
    equalized_odds_difference: float
    lowest_rate: float
    highest_rate: float


@measurement(version=1)
def leakage(
    model: nn.Module | None,
    train: Split,
    test: Split,
    critic: CriticName = "logistic_regression",
    seed: int = 0,
) -> Leakage:
    """What a fresh critic recovers of the groups from a model's representations.

    Args:
        model: one with `represent`, as games have that hide something; of any other its outputs
            are audited; None for the examples themselves.
        train: the critic's training examples, with groups.
        test: examples that it is scored on, with groups.
        critic: its kind.
        seed: of its training.

    Raises:
        ConfigError: examples without groups, or training examples of one group only.
    """
    seen, unseen = groups_of(train), groups_of(test)
    if len(np.unique(seen)) < 2:
        raise ConfigError(
            f"leakage: the critic's {len(train):,} training examples are all in one group; valid: "
            "two or more"
        )
    model = nn.Identity() if model is None else model
    codes = [representations(model, split.images).numpy() for split in (train, test)]
    fitted = fresh_critic(critic, seed).fit(codes[0], seen)
    probabilities = fitted.predict_proba(codes[1])
    right = int((fitted.classes_[probabilities.argmax(1)] == unseen).sum())
    shares = np.bincount(seen) / len(seen)
    n = len(unseen)

    from scipy.stats import binomtest

    interval = binomtest(right, n).proportion_ci(method="wilson")
    return Leakage(
        accuracy=100 * right / n,
        low=100 * float(interval.low),
        high=100 * float(interval.high),
        base_rate=100 * float((unseen == shares.argmax()).mean()),
        bits=information(probabilities, shares[fitted.classes_], fitted.classes_, unseen),
        n=n,
    )


@measurement(version=1)
def networks_of(trained: TrainedGame) -> nn.Module:
    """The networks of a trained game, for other measurements: called, they are the classifier."""
    return trained.game


@measurement(version=1)
@torch.no_grad()
def trained_critic_accuracy(model: nn.Module, critic: str, examples: Split) -> float:
    """Percent of examples whose group the critic names that the representation was trained against.

    Args:
        model: a game's networks.
        critic: the name of the critic among them.
        examples: with groups.
    """
    groups = torch.from_numpy(groups_of(examples))
    with evaluating(model):
        codes = representations(model, examples.images).to(examples.images.device)
        named = getattr(model, critic)(codes).argmax(1)
    return 100 * (named.cpu() == groups).double().mean().item()


def information(
    probabilities: np.ndarray, shares: np.ndarray, values: np.ndarray, groups: np.ndarray
) -> float:
    """Mean log₂ of the critic's probability of the group over the group's share, in bits.

    Args:
        probabilities: the critic's, (n, k).
        shares: of the k groups in training, (k,).
        values: the k groups.
        groups: (n,); those that training has not seen do not count.
    """
    known = np.isin(groups, values)
    places = np.searchsorted(values, groups[known])
    of_groups = probabilities[known][np.arange(len(places)), places]
    least = np.finfo(np.float64).eps
    return float(np.log2(np.maximum(of_groups, least) / shares[places]).mean())


def fresh_critic(critic: CriticName, seed: int) -> Any:
    """An untrained classifier of scikit-learn, on standardized features where it needs them."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if critic == "boosted_trees":
        return HistGradientBoostingClassifier(early_stopping=True, random_state=seed)
    if critic == "mlp":
        network = MLPClassifier((100,), early_stopping=True, random_state=seed)
        return make_pipeline(StandardScaler(), network)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))


@torch.no_grad()
def representations(model: nn.Module, x: Tensor) -> Tensor:
    """What a model makes of examples (n, *shape), flat on the CPU: (n, d) float32."""
    represent = getattr(model, "represent", model)
    with evaluating(model):
        return torch.cat([represent(part).flatten(1).float().cpu() for part in x.split(BATCH)])


def groups_of(split: Split) -> np.ndarray:
    """The groups (n,) of examples.

    Raises:
        ConfigError: they have none.
    """
    if split.groups is None or not len(split):
        raise ConfigError(
            "audit: examples without groups; valid: data with a protected attribute or two "
            "domains, as dataset=adult, dataset=hiring or dataset=table"
        )
    return split.groups.cpu().numpy()


@measurement(version=1)
def parity(model: nn.Module, test: Split) -> Parity:
    """How differently a classifier of two classes treats the groups.

    Args:
        model: examples to logits (n, 2); its decision is the larger one.
        test: examples with labels 0 or 1, and groups.

    Raises:
        ConfigError: examples without groups.
    """
    groups_of(test)
    assert test.groups is not None
    return parity_of(predictions(model, test.images), test.labels, test.groups)


def parity_of(decisions: Tensor, labels: Tensor, groups: Tensor) -> Parity:
    """The same of decisions, labels and groups, (n,) each; decisions and labels are 0 or 1."""
    everyone = torch.ones_like(labels, dtype=torch.bool)
    rates = rates_of(decisions, groups, everyone)
    odds = [spread(rates_of(decisions, groups, labels == label)) for label in (1, 0)]
    return Parity(
        demographic_parity_difference=spread(rates),
        equalized_odds_difference=float(np.max(odds)),  # NaN where one is
        lowest_rate=float(rates.min()),
        highest_rate=float(rates.max()),
    )


def rates_of(decisions: Tensor, groups: Tensor, among: Tensor) -> np.ndarray:
    """Percent of decision 1 of every group among some examples, a mask (n,); NaN of none."""
    shares = [
        100 * (decisions[among & (groups == group)] == 1).double().mean().item()
        for group in groups.unique()
    ]
    return np.array(shares)


def spread(rates: np.ndarray) -> float:
    """The largest difference."""
    return float(rates.max() - rates.min())
