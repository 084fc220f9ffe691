"""An autoencoder whose codes an adversary gives their distribution. Section 1.4.5.

    advx run experiment=adversarial_autoencoder                  # digits that ship with a package
    advx run experiment=adversarial_autoencoder scale=chapter    # MNIST, three seeds

Three procedures, those of Makhzani et al. (2015). First: train an adversarial autoencoder with a
code of two components for each of three priors, and beside them the plain autoencoder, whose
adversary counts nothing, and a variational one of the same networks. Encode the test images and
test whether their codes follow the prior: by the energy distance and its permutations, and by a
fresh classifier; draws from the prior are the floor. Then: a code of a class and a style, of which
a few labels are known, beside the same encoder on the labels alone and beside the autoencoder
without adversaries. Last: the same code without any label; its classes are clusters.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.attribute_edits import decoded
from advx.evaluation.categorical_codes import (
    SORTING_UNITS,
    Sorting,
    code_error_rate,
    code_sorting,
)
from advx.evaluation.clusters import k_means_sorting
from advx.evaluation.code_spaces import (
    MATCH_UNITS,
    PriorMatch,
    codes_of,
    prior_draws,
    prior_match,
    whitened,
)
from advx.evaluation.reconstructions import mean_image_error, reconstructions, rms_error
from advx.figures.code_spaces import Space, code_figure, grid_of, square_around
from advx.figures.panels import Curve, Panel
from advx.figures.samples import gray_levels
from advx.figures.style import ADVERSARIAL, OURS, percentage
from advx.games.partly_labeled import Labeled, refuse_missing_labels
from advx.games.priors import PriorName
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.model import Game
from advx.run.named import Derived
from advx.types import AtLeastTwo

OURS_OF, PLAIN, VARIATIONAL = "adversarial autoencoder, {}", "plain autoencoder", "VAE"
"""Rows of autoencoders; an adversarial one has a prior."""

AGAINST, WHITENED, DRAWS = "{}, {}", "{}, whitened, {}", "draws, {}"
"""Rows of codes that are compared with a prior, and of draws from it."""

FEW, ALONE, UNREGULARIZED = "few labels", "labels only", "no adversary"
"""Rows with labels: the game, the encoder on its labels alone, the game without adversaries."""

CLUSTERS, CENTERS = "clusters", "k-means"
"""Rows without labels."""

CALLED: Mapping[PriorName, str] = {
    "gaussian": "Gaussian",
    "mixture": "mixture",
    "swiss_roll": "swiss roll",
}
"""Priors in rows."""

MEAN_IMAGE = "mean image"
"""Row of what reconstructs all images alike."""

OTHER = 1_000
"""Added to a seed for draws beside the first ones."""

ERROR, MAJORITY = "clean_error_rate", "majority_label_error"

CURVES = dict.fromkeys((FEW, CLUSTERS), "adversarial autoencoder")
COLORS = (OURS, ADVERSARIAL)
"""Of the figure: names of rows that are called otherwise in the table, and the colors of two."""

GRID, SHOWN = 10, 2_000
"""Of the figure: decoded codes in a row, and test images."""


def cells(priors: list[PriorName], labels: list[Labeled], clusters: list[int]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    names = [CALLED[prior] for prior in priors]
    ours = [OURS_OF.format(name) for name in names]
    compared = [AGAINST.format(VARIATIONAL, CALLED["gaussian"])]
    for name in names:
        compared += [AGAINST.format(PLAIN, name), WHITENED.format(PLAIN, name), DRAWS.format(name)]
    yield Cells([*ours, *compared], metrics_of(PriorMatch))
    yield Cells([*ours, PLAIN, VARIATIONAL, MEAN_IMAGE], ["rms_error"])
    yield Cells([FEW, ALONE], [ERROR], settings=[setting(labels=count) for count in labels])
    yield Cells([UNREGULARIZED], [ERROR], settings=[setting(labels=c) for c in labels[:1]])
    settings = [setting(clusters=count) for count in clusters]
    yield Cells([CLUSTERS, CENTERS], metrics_of(Sorting), settings=settings)


class Setup(NamedTuple):
    """What `main` was given: see there."""

    autoencoder: Config
    vae: Config
    vae_trainer: Config
    categorical: Config
    labels_only: Config
    categorical_trainer: Config

    def adversarial(self, run: Run, prior: PriorName, seed: int) -> Game:
        """The autoencoder whose codes follow a prior."""
        return run.game(self.autoencoder.with_(prior=prior), seed)

    def plain(self, run: Run, seed: int) -> Game:
        """The same without an adversary."""
        return run.game(self.autoencoder.with_(regularization_weight=0.0), seed)

    def variational(self, run: Run, seed: int) -> Game:
        """The one that maximizes a bound on the likelihood."""
        return run.game(self.vae, seed, trainer=self.vae_trainer)

    def partly_labeled(self, run: Run, row: str, labeled: Labeled, seed: int) -> Game:
        """The game of a row that sees labels."""
        config = self.labels_only if row == ALONE else self.categorical
        if row == UNREGULARIZED:
            config = config.with_(regularization_weight=0.0)
        return run.game(config.with_(labeled=labeled), seed, trainer=self.categorical_trainer)

    def clustering(self, run: Run, count: int, seed: int) -> Game:
        """The game that sorts images without labels."""
        config = self.categorical.with_(classes=count, labeled=None)
        return run.game(config, seed, trainer=self.categorical_trainer)


def main(
    run: Run,
    priors: list[PriorName],
    autoencoder: Config,
    vae: Config,
    vae_trainer: Config,
    categorical: Config,
    labels_only: Config,
    categorical_trainer: Config,
    labels: list[Labeled],
    clusters: list[AtLeastTwo],
) -> None:
    """Codes beside their priors; errors with few labels; clusters.

    Args:
        run: the run to measure on.
        priors: that codes are to follow.
        autoencoder: the adversarial one, with a code of two components.
        vae: a variational one of the same networks.
        vae_trainer: its trainer.
        categorical: the autoencoder whose code is a class and a style.
        labels_only: its encoder on labels alone.
        categorical_trainer: the trainer of both.
        labels: numbers of labels, the fewest first; `all` for all.
        clusters: numbers of classes of a code without labels.
    """
    refuse_missing_labels(run.data, labels, "labels")
    refuse_unusable(run.data, {"autoencoder": autoencoder, "vae": vae}, clusters)
    setup = Setup(autoencoder, vae, vae_trainer, categorical, labels_only, categorical_trainer)
    each_seed = len(priors) + 2 + 2 * len(labels) + 1 + len(clusters)
    with run.progress(models=each_seed * len(run.seeds)):
        error, n = run.measure(mean_image_error, run.data), len(run.data.test)
        run.table.add(MEAN_IMAGE, rms_error=error, seed=None, n=n, unit="gray levels")
        for seed in run.seeds:
            add_codes(run, setup, priors, seed)
            add_errors(run, setup, labels, seed)
            add_clusters(run, setup, clusters, seed)
    draw(run, setup, priors, labels, clusters)
    run.finish()


def refuse_unusable(data: Dataset, autoencoders: Mapping[str, Config], clusters: list[int]) -> None:
    """Refuse codes that are no plane, and more clusters than training images.

    Raises:
        ConfigError: the first of them.
    """
    for name, config in autoencoders.items():
        if config["latent"] != 2:
            raise ConfigError(f"{name}.latent={config['latent']}: codes lie in a plane; valid: 2")
    if max(clusters, default=0) > (most := len(data.train)):
        raise ConfigError(f"clusters={clusters}: of {most:,} training images; valid: up to {most}")


def add_codes(run: Run, setup: Setup, priors: list[PriorName], seed: int) -> None:
    """The rows of codes beside draws from the priors, and of reconstructions."""
    test = run.data.test.images
    plain, variational = setup.plain(run, seed), setup.variational(run, seed)

    def compare(row: str, prior: PriorName, codes: Derived[Tensor]) -> None:
        draws = run.derive(prior_draws, prior, len(test), 2, seed)
        match = run.measure(prior_match, codes, draws)
        run.table.add(row, match, seed=seed, n=len(test), unit=MATCH_UNITS)

    for prior in priors:
        name, game = CALLED[prior], setup.adversarial(run, prior, seed)
        plain_codes = run.derive(codes_of, plain, test)
        others = run.derive(prior_draws, prior, len(test), 2, OTHER + seed)
        compare(OURS_OF.format(name), prior, run.derive(codes_of, game, test))
        compare(AGAINST.format(PLAIN, name), prior, plain_codes)
        compare(WHITENED.format(PLAIN, name), prior, run.derive(whitened, plain_codes, others))
        compare(DRAWS.format(name), prior, others)
        add_reconstructions(run, OURS_OF.format(name), game)
    row = AGAINST.format(VARIATIONAL, CALLED["gaussian"])
    compare(row, "gaussian", run.derive(codes_of, variational, test))
    add_reconstructions(run, PLAIN, plain)
    add_reconstructions(run, VARIATIONAL, variational)


def add_reconstructions(run: Run, row: str, game: Game) -> None:
    """The row of an autoencoder's error on test images."""
    test = run.data.test.images
    error = run.measure(rms_error, run.derive(reconstructions, game, test), test)
    run.table.add(row, rms_error=error, seed=game.seed, n=len(test), unit="gray levels")


def add_errors(run: Run, setup: Setup, labels: list[Labeled], seed: int) -> None:
    """The rows of errors with few labels; without adversaries with the fewest."""
    for count in labels:
        for row in (FEW, ALONE, UNREGULARIZED) if count == labels[0] else (FEW, ALONE):
            game = setup.partly_labeled(run, row, count, seed)
            error = run.measure(code_error_rate, game, run.data.test)
            under, n = setting(labels=count), len(run.data.test)
            run.table.add(row, {ERROR: error}, setting=under, seed=seed, n=n)


def add_clusters(run: Run, setup: Setup, clusters: list[int], seed: int) -> None:
    """The rows of clusters, and of as many centers of k-means."""
    for count in clusters:
        game = setup.clustering(run, count, seed)
        found = {
            CLUSTERS: run.measure(code_sorting, game, run.data),
            CENTERS: run.measure(k_means_sorting, run.data, count, seed),
        }
        for row, measures in found.items():
            under, n = setting(clusters=count), len(run.data.test)
            run.table.add(row, measures, setting=under, seed=seed, n=n, unit=SORTING_UNITS)


def draw(
    run: Run, setup: Setup, priors: list[PriorName], labels: list[Labeled], clusters: list[int]
) -> None:
    """Code spaces of the first seed, what is decoded of them, and errors over all seeds."""
    seed, results = run.seeds[0], run.numbers()
    few = run.data.test.take(run.data.test.spaced(SHOWN))
    gaussian, plain, variational = CALLED["gaussian"], setup.plain, setup.variational
    shown: list[tuple[str, str, PriorName, Game]] = [
        ("Plain autoencoder", AGAINST.format(PLAIN, gaussian), "gaussian", plain(run, seed)),
        ("VAE", AGAINST.format(VARIATIONAL, gaussian), "gaussian", variational(run, seed)),
    ]
    for prior in priors:
        row, title = OURS_OF.format(CALLED[prior]), f"Adversarial, {CALLED[prior]}"
        shown.append((title, row, prior, setup.adversarial(run, prior, seed)))
    arrays, spaces = {"labels": few.labels.cpu().numpy()}, list[Space]()
    for title, row, prior, game in shown:
        trained = run.attempt(partial(getattr, game, "value"))
        if trained is None:
            continue
        k, codes = len(spaces), codes_of(trained, few.images, seed).cpu()
        draws = prior_draws(prior, SHOWN, 2, seed)
        accuracy = percentage(results.mean(row, "two_sample_accuracy"))
        around = codes if row.startswith(PLAIN) else draws
        space = Space(title, f"{accuracy} discriminated", *square_around(around.numpy()))
        grid = torch.from_numpy(grid_of(space, GRID)).to(few.images)
        arrays[f"codes {k}"], arrays[f"draws {k}"] = codes.half().numpy(), draws.half().numpy()
        arrays[f"decoded {k}"] = gray_levels(decoded(trained.game, grid))
        spaces.append(space)
    code_figure(
        run.folder,
        "adversarial_autoencoder",
        spaces,
        arrays,
        curves_of(results, labels, clusters, len(run.data.train)),
        finding=finding(results, labels),
        provenance=run.heading(),
    )


def curves_of(
    results: Numbers, labels: list[Labeled], clusters: list[int], all_labels: int
) -> list[Panel]:
    """Errors against the number of labels, and of clusters against theirs."""
    counts = {count: all_labels if count == "all" else int(count or 0) for count in labels}
    return [
        panel(
            results,
            ERROR,
            (FEW, ALONE),
            {setting(labels=label): count for label, count in counts.items()},
            title="Error with few labels",
            x="labeled examples",
            logarithmic="xy",
            ticks={f"{n:,}" + " (all)" * (label == "all"): n for label, n in counts.items()},
        ),
        panel(
            results,
            MAJORITY,
            (CLUSTERS, CENTERS),
            {setting(clusters=count): count for count in clusters},
            title="Error of clusters, none labeled",
            x="clusters",
            ticks={f"{count}": count for count in clusters},
        ),
    ]


def panel(
    results: Numbers, metric: str, rows: tuple[str, str], places: Mapping[str, float], **looks: Any
) -> Panel:
    """A metric of two rows against what their setting says: `places` by setting."""
    drawn = {row: [Cell(row, metric, None, under) for under in places] for row in rows}
    along = [*places.values()]
    return Panel(
        curves=[
            Curve(CURVES.get(row, row), along, results.over_seeds(each), COLORS[dash], dash)
            for dash, (row, each) in enumerate(drawn.items())
        ],
        names="inside",
        basis=results.basis([cell for each in drawn.values() for cell in each]),
        limits=None,
        **looks,
    )


def finding(results: Numbers, labels: list[Labeled]) -> str:
    """How well codes and draws are discriminated, and the error with the fewest labels."""
    accuracy = [
        percentage(results.mean(row, "two_sample_accuracy"))
        for row in (OURS_OF.format("Gaussian"), AGAINST.format(VARIATIONAL, "Gaussian"))
    ]
    under = setting(labels=labels[0])
    errors = [percentage(results.mean(row, ERROR, setting=under)) for row in (FEW, ALONE)]
    return (
        f"A fresh classifier discriminates codes from the Gaussian prior in {accuracy[0]} of the "
        f"cases, a VAE’s in {accuracy[1]}; with {labels[0]} labels the error is {errors[0]}, with "
        f"these alone {errors[1]}"
    )
