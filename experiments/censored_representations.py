"""Does a representation that hides a protected attribute make decisions fairer? Section 1.4.6.

    advx run experiment=censored_representations                  # two models of hiring
    advx run experiment=censored_representations scale=chapter    # Adult and hiring, five seeds
    advx run experiment=censored_representations dataset=table dataset.path=people.csv \
        dataset.target=hired dataset.protected=gender hiring=null

The procedure: train an encoder whose code predicts labels and reconstructs examples, against an
adversary that is to recover the protected attribute from the code, with several weights of the
adversary. Then train critics afresh on the codes, and let them recover the attribute of test
examples; compare how often the predictor decides for either group. Adult are people whose income is
to be predicted; hiring is a structural model of applicants and of managers who preferred one group,
in which it is known what can be recovered at best, and who is qualified in truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import nn

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.data.hiring import Hiring
from advx.errors import ConfigError
from advx.evaluation.audit import (
    CriticName,
    Parity,
    leakage,
    networks_of,
    parity,
    trained_critic_accuracy,
)
from advx.evaluation.transfer import error_rate
from advx.figures import frontier as figure
from advx.figures.saved import save_and_draw
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import fitting
from advx.run.model import Game
from advx.run.named import Derived
from advx.types import NonNegative, PositiveInt

ROW, ROWS_ONLY, BEST, BEST_CENSORED = (
    "c = {:g}{}",
    "examples{}",
    "best guess{}",
    "best guess, no leak{}",
)
"""A weight of the adversary; the examples without an encoder; what the structural model allows, of
applicants as they are and of applicants who show nothing of their group."""

HIRING, ON_HIRING = "hiring", ", hiring"
"""Name of the structural model's data; what ends its rows."""

CRITICS: tuple[CriticName, ...] = ("logistic_regression", "mlp", "boosted_trees")
"""Those that are trained afresh."""

LEAKED = ("fresh_critic_accuracy", "leaked_bits")

UNITS = {"leaked_bits": "bits"}
"""The others are percentages."""

KNOWN = "percent of applicants"
"""Unit of what is known of the structural model: of all applicants that there could be."""


@dataclass(frozen=True)
class Audited:
    """A data set and what its models are asked on.

    Attributes:
        run: with the data.
        suffix: of its rows.
        seen: training examples for fresh critics.
        truth: test examples with the labels that only the structural model knows.
    """

    run: Run
    suffix: str
    seen: Split
    truth: Split | None = None


def cells(weights: list[float], hiring: Config | None) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    critics = [setting(critic=critic) for critic in CRITICS]
    for suffix in ("", ON_HIRING) if hiring else ("",):
        rows = [ROW.format(c, suffix) for c in weights]
        yield Cells(rows, ["error_rate", "trained_critic_accuracy", *metrics_of(Parity)])
        every = [*rows, ROWS_ONLY.format(suffix)]
        yield Cells(every, [*LEAKED], settings=critics)
        yield Cells([ROWS_ONLY.format(suffix)], ["base_rate"])
    if hiring:
        yield Cells([ROW.format(c, ON_HIRING) for c in weights], ["error_rate_on_truth"])
        known = ["error_rate", "error_rate_on_truth", "demographic_parity_difference"]
        for row in (BEST, BEST_CENSORED):
            yield Cells([row.format(ON_HIRING)], [*known, "best_critic_accuracy"])


def main(
    run: Run,
    game: Config,
    weights: list[NonNegative],
    hiring: Config | None,
    critic_examples: PositiveInt,
) -> None:
    """Errors, leakage by fresh critics, and parity of decisions, for every weight.

    Args:
        run: the run to measure on, with protected attributes.
        game: an encoder, a decoder, a predictor and an adversary.
        weights: c, of the adversary; 0 among them.
        hiring: the structural model's data set; None for none.
        critic_examples: training examples that a fresh critic learns on, at most.
    """
    if 0 not in weights:
        raise ConfigError(f"weights={weights}: 0 must be among them, to compare with")
    audits = [audited(run, "", critic_examples)]
    if hiring:
        truth = hiring.with_(labels="qualified")
        labels = run.on(truth).data.test
        audits.append(audited(run.on(hiring), ON_HIRING, critic_examples, labels))
    with run.progress(models=len(audits) * len(weights) * len(run.seeds)):
        for each in audits:
            add_examples(each)
            for seed in run.seeds:
                for c in weights:
                    add(each, ROW.format(c, each.suffix), game_of(each.run, game, c, seed))
    if hiring:
        add_known(run, hiring)
    draw(run, weights, [each.suffix for each in audits])
    run.finish()


def audited(run: Run, suffix: str, critic_examples: int, truth: Split | None = None) -> Audited:
    """A run's data, with so many training examples for critics."""
    train = run.data.train
    if train.groups is None:
        raise ConfigError(
            f"dataset={run.data.name}: has no protected attribute; valid: dataset=adult, "
            "dataset=hiring, dataset=table"
        )
    return Audited(run, suffix, train.take(train.spaced(critic_examples)), truth)


def game_of(run: Run, game: Config, weight: float, seed: int) -> Game:
    """The game with this weight of the adversary."""
    groups = groups_in(run.data)
    changed = fitting(game, run.data).with_(adversary_weight=weight, groups=groups)
    return run.game(changed, seed)


def groups_in(data: Dataset) -> int:
    """Values of the protected attribute."""
    assert data.train.groups is not None
    return max(len(data.group_names), int(data.train.groups.max()) + 1)


def add(audit: Audited, row: str, game: Game) -> None:
    """The measures of one game."""
    run, seed = audit.run, game.seed
    test, networks = run.data.test, run.derive(networks_of, game)
    n = len(test)
    error = run.measure(error_rate, networks, test)
    own = run.measure(trained_critic_accuracy, networks, "adversary", test)
    run.table.add(row, error_rate=error, trained_critic_accuracy=own, seed=seed, n=n)
    run.table.add(row, run.measure(parity, networks, test), seed=seed, n=n)
    if audit.truth is not None:
        error = run.measure(error_rate, networks, audit.truth)
        run.table.add(row, error_rate_on_truth=error, seed=seed, n=n)
    add_leakage(audit, row, networks, seed)


def add_examples(audit: Audited) -> None:
    """What leaks from the examples themselves, and how often a guess is right."""
    row, test = ROWS_ONLY.format(audit.suffix), audit.run.data.test
    add_leakage(audit, row, None, None)
    assert test.groups is not None
    rate = 100 * test.groups.bincount().max().item() / len(test)
    audit.run.table.add(row, base_rate=rate, seed=None, n=len(test))


def add_leakage(
    audit: Audited, row: str, model: Derived[nn.Module] | None, seed: int | None
) -> None:
    """What every fresh critic recovers from a model's representations; None: from the examples."""
    run, test = audit.run, audit.run.data.test
    for critic in CRITICS:
        found = run.measure(leakage, model, audit.seen, test, critic)
        measured = {"fresh_critic_accuracy": found.accuracy, "leaked_bits": found.bits}
        under = setting(critic=critic)
        run.table.add(row, measured, setting=under, seed=seed, n=len(test), unit=UNITS)


def add_known(run: Run, hiring: Config) -> None:
    """What the structural model allows: integrals, not measurements."""
    keys = ("share", "measures", "noise", "proxies", "leak", "nuisances", "bias")
    model = Hiring(**{key: hiring[key] for key in keys if key in hiring})
    for row, each in ((BEST, model), (BEST_CENSORED, model.censored)):
        guess = each.best_guess
        run.table.add(
            row.format(ON_HIRING),
            error_rate=100 * (1 - guess.decision_accuracy),
            error_rate_on_truth=100 * (1 - guess.qualified_accuracy),
            demographic_parity_difference=100 * abs(guess.gap),
            best_critic_accuracy=100 * each.leakage,
            seed=None,
            unit=KNOWN,
        )


def draw(run: Run, weights: list[float], suffixes: list[str]) -> None:
    """Accuracy against leakage, and against the gap between the groups, over the weight."""
    found = run.numbers()
    arrays: dict[str, np.ndarray] = {"weights": np.array(weights)}
    for suffix in suffixes:
        rows = [ROW.format(c, suffix) for c in weights]

        def over(metric: str, under: str = "", rows: list[str] = rows) -> np.ndarray:
            return found.over_seeds([Cell(row, metric, setting=under) for row in rows])

        fresh = [over("fresh_critic_accuracy", setting(critic=critic)) for critic in CRITICS]
        arrays[f"leakage{suffix}"] = np.max(fresh, 0)
        arrays[f"trained{suffix}"] = over("trained_critic_accuracy")
        arrays[f"error{suffix}"] = over("error_rate")
        arrays[f"gap{suffix}"] = over("demographic_parity_difference")
        arrays[f"base{suffix}"] = np.array(found.mean(ROWS_ONLY.format(suffix), "base_rate"))
        if suffix == ON_HIRING:
            arrays["truth"] = over("error_rate_on_truth")
            for name, row in (("best", BEST), ("fair", BEST_CENSORED)):
                metrics = ("error_rate", "error_rate_on_truth", "demographic_parity_difference")
                arrays[name] = np.array([found.mean(row.format(suffix), m) for m in metrics])
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        titles=titles(run.data.name, suffixes),
        finding=finding(found, weights),
        provenance=run.heading(),
    )


def titles(own: str, suffixes: list[str]) -> dict[str, str]:
    """What the data sets are called in the figure, by suffix."""
    both = own == HIRING and len(suffixes) > 1
    return (
        {"": f"another {own}" if both else own, ON_HIRING: HIRING}
        if len(suffixes) > 1
        else {"": own}
    )


def finding(found: Numbers, weights: list[float]) -> str:
    """Above the figure, from means: what the largest weight changes on the run's own data."""
    ends = [ROW.format(c, "") for c in (0.0, max(weights))]
    leaks = [
        max(found.mean(r, "fresh_critic_accuracy", setting=setting(critic=k)) for k in CRITICS)
        for r in ends
    ]
    gaps = [found.mean(r, "demographic_parity_difference") for r in ends]
    errors = [found.mean(r, "error_rate") for r in ends]
    own = found.mean(ends[1], "trained_critic_accuracy")
    base = found.mean(ROWS_ONLY.format(""), "base_rate")
    return (
        f"With a weight of {max(weights):g} a fresh critic recovers the attribute of "
        f"{leaks[1]:.0f}% of the examples, without the game of {leaks[0]:.0f}% (a guess: "
        f"{base:.0f}%; the adversary itself: {own:.0f}%); the gap between the groups goes from "
        f"{gaps[0]:.0f} to {gaps[1]:.0f} points, the error from {errors[0]:.1f}% to "
        f"{errors[1]:.1f}%"
    )
