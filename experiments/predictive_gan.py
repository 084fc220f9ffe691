"""Ears that a squared error discards and an adversarial loss draws? Section 1.4.3, Figure 1.6.

    advx run experiment=predictive_gan                  # fewer heads, two weights
    advx run experiment=predictive_gan scale=chapter    # six weights, three seeds
    advx run experiment=predictive_gan scale=chapter dataset.side=64 game.filters=32    # a GPU

The procedure: render clips of rotating heads; train a network to predict the last frame of each
from the others, by the squared error alone and with an adversarial loss of several weights beside
it, equally long; then let it predict heads that it has not seen, each once with ears in its history
and once without. A classifier trained on renders (the probe) says whether a prediction has ears.
All of it for two populations, in one of which every head has ears, and for a long and a short
training. Beside it what needs no network, and clips of bouncing balls, which have no ears.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np
from torch import Tensor

from advx.config.cells import Cell, Cells, metrics_of, setting
from advx.config.config import Config
from advx.data.dataset import Dataset
from advx.data.head_renderer import FRAMES
from advx.data.heads import Twins, twins
from advx.errors import ConfigError
from advx.evaluation.ear_probe import EarProbe, trained_probe
from advx.evaluation.ears import (
    UNITS,
    EarMeasures,
    Frames,
    ear_measures,
    ears_preferred,
    pixels_in_ears,
    predicted_twins,
    real_frames,
    without_ears,
)
from advx.evaluation.predicted_frames import (
    FrameMeasures,
    frame_measures,
    last_frame,
    linear_extrapolation,
    predicted_frames,
)
from advx.figures import predictive as figure
from advx.figures.samples import gray_levels
from advx.figures.saved import save_and_draw
from advx.games.predictive_gan import InitializationName
from advx.report.over_seeds import Numbers
from advx.run import Run
from advx.run.data import loader_of
from advx.run.models import Game
from advx.run.named import Derived
from advx.types import NonNegative, Positive, PositiveInt, Share

ROW, BALLS = "w = {:g}", "bouncing balls, {}"
"""Of a game with a weight, and of what predicts balls."""

RENDER, BARE = "real frames", "real frames without ears"
"""The ceiling of every measure of ears, and its floor."""

BASELINES = {"last frame": last_frame, "linear extrapolation": linear_extrapolation}

ALL, SHORT = "ears_on_all", "short"
"""Settings: every head has ears; the short training."""

SETTINGS = {
    "": "a fifth without ears, long training",
    SHORT: "a fifth without ears, short",
    ALL: "ears on all, long",
    setting(ALL, SHORT): "ears on all, short",
}

MEASURES = {
    "squared_error": "Squared error per pixel",
    "hits": "Heads with ears predicted with ears (%)",
    "false_ears": "Heads without ears predicted with ears (%)",
    "auc": "Area under the curve (0.5: guesses)",
}
"""Of the figure."""

SHOWN = 8
"""Heads in the figure."""


def cells(weights: list[float], balls: Config | None, shown_weight: float) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    measures = [*metrics_of(FrameMeasures), *metrics_of(EarMeasures)]
    yield Cells([ROW.format(w) for w in weights], measures, settings=[*SETTINGS])
    rows = [ROW.format(w) for w in weights if w]
    yield Cells(rows, ["ears_preferred"], settings=[*SETTINGS])
    yield Cells([RENDER, BARE, *BASELINES], measures)
    yield Cells([RENDER], ["pixels_in_ears"])
    if balls is not None:
        names = [ROW.format(0), ROW.format(shown_weight), *BASELINES]
        yield Cells([BALLS.format(name) for name in names], metrics_of(FrameMeasures))


def main(
    run: Run,
    game: Config,
    weights: list[NonNegative],
    shown_weight: Positive,
    squared_error_share: Share,
    short_epochs: PositiveInt,
    probe_heads: PositiveInt,
    probe_epochs: PositiveInt,
    balls: Config | None,
    balls_initialization: InitializationName,
) -> None:
    """Ears and errors of the predictions, for every weight, population and length of training.

    Args:
        run: the run to measure on.
        game: a predictive network and its discriminator.
        weights: of the adversarial loss over the squared error per pixel; 0 and `shown_weight`
            among them.
        shown_weight: the weight whose predictions are in the figure.
        squared_error_share: of every training, its first part, in which only the squared error
            counts.
        short_epochs: of the short training; `trainer.max_epochs` are those of the long one.
        probe_heads: heads that the probe is trained on.
        probe_epochs: passes over them.
        balls: the data set of bouncing balls; None for none.
        balls_initialization: of the network that predicts them.
    """
    check(run, weights, shown_weight)
    populations = {"": run.data, ALL: population(run, earless=0.0)}
    test = rendered(run, "test", len(run.data.test), range(FRAMES))
    probe = run.derive(
        trained_probe, rendered(run, "train", probe_heads, [FRAMES - 1]), probe_epochs
    )
    games = len(weights) * len(SETTINGS) * len(run.seeds) + 2 * (balls is not None)
    with run.progress(models=games):
        add_known(run, test, probe)
        for seed in run.seeds:
            for under in SETTINGS:
                for weight in weights:
                    data = populations[ALL if ALL in under else ""]
                    epochs = short_epochs if SHORT in under else None
                    trained = game_of(run, game, weight, seed, data, squared_error_share, epochs)
                    add(run, ROW.format(weight), trained, test, probe, under)
        if balls is not None:
            networks = game.with_(initialization=balls_initialization)
            add_balls(run, networks, [0.0, shown_weight], balls.build(), squared_error_share)
    shown = {
        ROW.format(w): game_of(run, game, w, run.seeds[0], populations[ALL], squared_error_share)
        for w in weights
    }
    draw(run, shown, test, weights, shown_weight)
    run.finish()


def check(run: Run, weights: list[float], shown_weight: float) -> None:
    """Refuse data without heads, and weights that lack those of the figure.

    Raises:
        ConfigError: the key, the value, what is valid.
    """
    if run.data.name != "heads":
        raise ConfigError(f"dataset={run.data.name}: has no ears; valid: dataset=heads")
    for needed in (0, shown_weight):
        if needed not in weights:
            raise ConfigError(f"weights={weights}: {needed:g} must be among them, for the figure")


def population(run: Run, earless: float) -> Dataset:
    """The run's heads, with another share of heads without ears."""
    loader = loader_of(run.source.config)
    return loader.with_(earless=earless).build().to(run.device)


def rendered(
    run: Run, part: Literal["train", "test"], count: int, frames: range | list[int]
) -> Twins:
    """Heads of the run's data, each with ears and without."""
    config = run.source.config
    options = {key: config[key] for key in ("side", "channels", "turn")}
    return twins(part, count, frames=frames, **options).to(run.device)


def game_of(
    run: Run,
    game: Config,
    weight: float,
    seed: int,
    data: Dataset,
    squared_error_share: float,
    epochs: int | None = None,
) -> Game:
    """A game with this weight; `epochs` where it is not trained as long as the trainer says."""
    trainer = run.models.trainer
    trainer = trainer if epochs is None else trainer.with_(max_epochs=epochs)
    first = int(squared_error_share * trainer["max_epochs"]) if weight else 0
    changed = game.with_(adversarial_weight=weight, squared_error_epochs=first)
    return run.game(changed, seed, trainer=trainer, data=data)


def add(
    run: Run, row: str, trained: Game, test: Twins, probe: Derived[EarProbe], under: str
) -> None:
    """The measures of one game."""
    frames = run.derive(predicted_twins, trained, test)
    eared = run.derive(predicted_frames, trained, test.eared)
    found = run.measure(frame_measures, eared, test.eared[:, -1])
    ears = run.measure(ear_measures, frames, test, probe)
    for each in (found, ears):
        run.table.add(row, each, setting=under, seed=trained.seed, n=len(test), unit=UNITS)
    if trained.recipe.model["adversarial_weight"]:
        rate = run.measure(ears_preferred, trained, test)
        run.table.add(row, ears_preferred=rate, setting=under, seed=trained.seed, n=len(test))


def add_known(run: Run, test: Twins, probe: Derived[EarProbe]) -> None:
    """The measures of real frames, with ears and without, and of what needs no network."""
    rows = {RENDER: real_frames(test), BARE: without_ears(test)}
    for name, baseline in BASELINES.items():
        rows[name] = Frames(baseline(test.eared), baseline(test.earless))
    for row, frames in rows.items():
        found = run.measure(frame_measures, frames.eared, test.eared[:, -1])
        ears = run.measure(ear_measures, frames, test, probe)
        for each in (found, ears):
            run.table.add(row, each, seed=None, n=len(test), unit=UNITS)
    share = run.measure(pixels_in_ears, test)
    run.table.add(RENDER, pixels_in_ears=share, seed=None, n=len(test), unit=UNITS)


def add_balls(
    run: Run, game: Config, weights: list[float], balls: Dataset, squared_error_share: float
) -> None:
    """The squared error and the sharpness of predicted balls, one seed."""
    data, seed = balls.to(run.device), run.seeds[0]
    clips = data.test.images
    networks = game.with_(input_shape=list(data.input_shape))
    for weight in weights:
        trained = game_of(run, networks, weight, seed, data, squared_error_share)
        made = run.derive(predicted_frames, trained, clips)
        found = run.measure(frame_measures, made, clips[:, -1])
        row = BALLS.format(ROW.format(weight))
        run.table.add(row, found, seed=seed, n=len(clips), unit=UNITS)
    for name, baseline in BASELINES.items():
        found = run.measure(frame_measures, baseline(clips), clips[:, -1])
        run.table.add(BALLS.format(name), found, seed=None, n=len(clips), unit=UNITS)


def draw(
    run: Run, shown: dict[str, Game], test: Twins, weights: list[float], shown_weight: float
) -> None:
    """The first heads with ears, real and predicted; the measures over the weight."""
    first = run.data.test.labels.nonzero().squeeze(1)[:SHOWN]
    clips = test.eared[first]
    arrays: dict[str, np.ndarray] = {
        "ears": middles(test.mask[first, -1]),
        "weights": np.array(weights),
        "before": gray_levels(clips[:, -2]),
        "target": gray_levels(clips[:, -1]),
    }
    for name, game in shown.items():
        made = run.attempt(partial(frames_of, game, clips))
        if made is not None:
            arrays[name] = gray_levels(made)
    found = run.numbers()
    for metric in MEASURES:
        for under in SETTINGS:
            row = [Cell(ROW.format(weight), metric, setting=under) for weight in weights]
            arrays[f"{metric} {under}"] = found.over_seeds(row)
    rows = {
        "before": "last frame given",
        "target": "target",
        ROW.format(0): "squared error",
        ROW.format(shown_weight): "with adversarial loss",
    }
    save_and_draw(
        run.folder,
        figure.draw,
        arrays,
        rows=rows,
        measures=MEASURES,
        settings=SETTINGS,
        findings=findings(found, shown_weight),
        provenance=run.heading(),
    )


def frames_of(game: Game, clips: Tensor) -> Tensor:
    """What a game predicts for clips."""
    return predicted_frames(game.value, clips)


def findings(found: Numbers, shown_weight: float) -> list[str]:
    """Above the figures, from means: hits where every head has ears; false ears, where not."""

    def both(metric: str, under: str) -> list[float]:
        return [found.mean(ROW.format(w), metric, setting=under) for w in (0.0, shown_weight)]

    hits, (false, more), area = both("hits", ALL), both("false_ears", ""), both("auc", "")
    return [
        f"Where every head has ears, {hits[0]:.0f}% of the heads get some under squared error "
        f"alone, {hits[1]:.0f}% with an adversarial loss beside it",
        f"Heads without ears get some in {false:.0f}% under squared error alone and in {more:.0f}% "
        f"with the adversarial loss (weight {shown_weight:g}); the area under the curve goes from "
        f"{area[0]:.2f} to {area[1]:.2f}",
    ]


def middles(mask: Tensor) -> np.ndarray:
    """Row and column (n, 2) of the middle of the larger half of each mask (n, side, side).

    Left and right halves of the image are looked at apart: two ears have no middle on either.
    """
    found = []
    for each in mask.cpu():
        rows, columns = each.nonzero(as_tuple=True)
        left = columns < each.shape[1] / 2
        half = left if left.sum() * 2 >= len(left) else ~left
        found.append([rows[half].double().mean().item(), columns[half].double().mean().item()])
    return np.array(found)
