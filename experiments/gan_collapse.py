"""Does batch normalization keep a generator from collapsing? Section 1.4.2.

    advx run experiment=gan_collapse                          # a ring of eight modes, two seeds
    advx run experiment=gan_collapse scale=chapter            # five seeds, longer
    advx run experiment=gan_collapse dataset=grid             # twenty-five modes
    advx run experiment=gan_collapse_stacked scale=chapter    # a thousand modes

The procedure: let two networks play with batch normalization in neither, in G, in D and in both,
with either loss and one or several updates of D for one of G; count the modes of the data that the
generator has, while they play and at the end. Then start from a generator that makes a single
point, and ask where the gradients around such a point lead.
"""

import itertools
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from advx.data.mixtures import grid_means, ring_means
from advx.errors import ConfigError
from advx.evaluation.modes import REACH, Modes, nearest_modes, stacked_modes, stacked_sureness
from advx.evaluation.sample_quality import drawn
from advx.evaluation.samples import generated
from advx.evaluation.undefined import percent
from advx.figures import collapse as figure
from advx.figures.kept import keep
from advx.figures.samples import gray_levels
from advx.games.losses import GeneratorLossName, non_saturating
from advx.run import Run
from advx.training.construct import new_game
from advx.training.discriminator import train_discriminator
from advx.training.recipe import Recipe
from advx.types import Positive, PositiveInt

PLACES = {
    "neither": {"batch_norm_generator": False, "batch_norm_discriminator": False},
    "in G": {"batch_norm_generator": True, "batch_norm_discriminator": False},
    "in D": {"batch_norm_generator": False, "batch_norm_discriminator": True},
    "in both": {"batch_norm_generator": True, "batch_norm_discriminator": True},
}
"""Where batch normalization stands."""

SURE = 0.9
"""Probability from which each of three stacked digits counts as read."""

INSIDE = f"that lie within {REACH:g} standard deviations of a mode's mean"
READ = f"of which a classifier is sure (p > {SURE}) what all three digits are"
"""Which examples `high_quality` counts, for the figure."""

UNITS = {"modes": "modes", "reverse_kl": "nats"}

IMAGES = 32
"""Shown of each game whose examples are images."""

Cell = tuple[str, GeneratorLossName, int]
"""Where batch normalization stands, what G minimises, updates of D for one of G."""


def main(
    run: Run,
    game: dict[str, Any],
    losses: list[GeneratorLossName],
    discriminator_steps: list[PositiveInt],
    variants: dict[str, Any],
    samples: PositiveInt,
    distances: list[Positive],
    critic_steps: PositiveInt,
    classifier: dict[str, Any] | None,
    classifier_trainer: dict[str, Any] | None,
) -> None:
    """Modes of every cell and variant; gradients around a single generated point.

    Args:
        run: the run to measure on.
        game: the node of a game with `batch_norm_generator` and `batch_norm_discriminator`.
        losses: what G minimises.
        discriminator_steps: updates of D for one of G.
        variants: further games by name, with the first loss and number of updates: `game`, changes
            of its node, and `places` of batch normalization.
        samples: generated examples whose modes are counted.
        distances: of the points around a single generated one, in units of the data's spread.
        critic_steps: updates of the discriminator that has only that point to recognise.
        classifier: the node of the network that reads stacked digits.
        classifier_trainer: its trainer's node.
    """
    for key in PLACES["neither"]:
        if key not in game:
            raise ConfigError(f"game={game['name']}: has no {key}; valid: multilayer, dcgan")
    modes = known_modes(run, classifier, classifier_trainer)
    cells: list[Cell] = list(itertools.product(PLACES, losses, discriminator_steps))
    first = (losses[0], discriminator_steps[0])
    games = {cell_name(cell): cell_recipe(run, game, cell, 0) for cell in cells}
    games |= {f"{name}, {place}": cell_recipe(run, game | variant["game"], (place, *first), 0)
              for name, variant in variants.items() for place in variant["places"]}  # fmt: skip
    grown: dict[str, list[list[float]]] = {}
    ends: dict[str, list[dict[str, float]]] = {}
    with run.progress(models=len(games) * len(run.seeds)):
        shares = modes.shares(run.data.test.images)
        floor = modes.measures(drawn(run.data.train.images, samples), shares)
        run.record_all("data against data", floor, UNITS, seed=None, n=samples)
        for seed in run.seeds:
            for name, recipe in games.items():
                found = measured(run, replace(recipe, seed=seed), modes, shares, samples)
                report(run, name, found, seed, samples)
                if found:
                    grown.setdefault(name, []).append(found["over_time"])
                    ends.setdefault(name, []).append(found["end"])
            around = gradients_around(run, game, seed, distances, critic_steps)
            for distance, values in around.items():
                for metric, value in values.items():
                    run.record(f"{distance} from the point", metric, value, seed=seed, n=500,
                               unit="cosine" if metric == "cosine" else "percent")  # fmt: skip
    draw(run, game, cells, grown, ends, modes, samples)
    run.finish()


def known_modes(
    run: Run, classifier: dict[str, Any] | None, trainer: dict[str, Any] | None
) -> Modes:
    """How the modes of this data set are told."""
    node = run.config["dataset"]
    if run.data.name in ("ring", "grid"):
        means = (ring_means(node["modes"], node["radius"]) if run.data.name == "ring"
                 else grid_means(node["side"], node["spacing"])).to(run.device)  # fmt: skip
        return Modes(len(means), lambda x: nearest_modes(x, means, node["deviation"]), [], means)
    if run.data.name == "stacked_mnist" and classifier is not None:
        digits = classifier | {"input_shape": [1, *run.data.input_shape[1:]], "classes": 10}
        judge = run.recipe(digits, 0, trainer=trainer, path="classifier", part="the first digits")

        def read(x: Tensor) -> Tensor:
            return stacked_modes(run.trained(judge).module, x)

        def misread() -> float:
            said = read(run.data.test.images)
            return percent(run.trained(judge).module, said != run.data.test.labels, said)

        rate = run.measured({"models": [run.key(judge)], "of": "stacked digits"}, misread)
        run.record("classifier", "misread", rate, seed=None, n=len(run.data.test),
                   note=f"store key {run.key(judge)}")  # fmt: skip
        return Modes(
            1000, read, [run.key(judge)],
            sure=lambda x: stacked_sureness(run.trained(judge).module, x) > SURE,
        )  # fmt: skip
    raise ConfigError(
        f"dataset={run.data.name}: its modes are not known; valid: ring, grid, and stacked_mnist "
        "with experiment=gan_collapse_stacked"
    )


def cell_name(cell: Cell) -> str:
    """What a cell's row is called."""
    place, loss, steps = cell
    return f"{place}, {loss.replace('_', '-')}, k = {steps}"


def cell_recipe(run: Run, game: dict[str, Any], cell: Cell, seed: int) -> Recipe:
    """The recipe of a cell's game."""
    place, loss, steps = cell
    rules = {"loss": loss, "discriminator_steps": steps}
    return run.recipe(game | PLACES[place] | rules, seed, path="game")


def measured(
    run: Run, recipe: Recipe, modes: Modes, shares: Tensor, samples: int
) -> dict[str, Any]:
    """Modes at the end and at every snapshot, and warnings; kept."""

    def measure() -> dict[str, Any]:
        played = run.played(recipe)
        made = generated(played.game, samples, device=run.device)
        over_time = [
            modes.measures(shot.to(run.device), shares)["modes"] for shot in played.snapshots
        ]
        spread = [row["diversity"] >= 0.5 for row in played.history]
        return {
            "end": modes.measures(made, shares),
            "over_time": over_time,
            "epochs": played.snapshot_epochs,
            "spread": 100 * sum(spread) / len(spread),
            "flags": played.diagnostics(),
            "epochs_played": len(played.history),
        }

    content = {
        "models": [run.game_key(recipe), *modes.keys],
        "of": "modes over time",
        "samples": samples,
    }
    return run.measured(content, measure, missing={})


def report(run: Run, name: str, found: dict[str, Any], seed: int, samples: int) -> None:
    """A game's rows."""
    for metric in ("modes", "high_quality", "reverse_kl"):
        value = found["end"][metric] if found else math.nan
        unit = UNITS.get(metric, "percent")
        run.record(name, metric, value, seed=seed, n=samples, unit=unit)
    if found:
        epochs = found["epochs_played"]
        run.record(name, "spread", found["spread"], seed=seed, n=epochs)
        units = {"warnings_at_the_end": "warnings"}
        run.record_all(name, found["flags"], units, seed=seed, n=epochs)


def gradients_around(
    run: Run, game: dict[str, Any], seed: int, distances: list[float], steps: int
) -> dict[str, dict[str, float]]:
    """Where a generator that makes a single point is sent from points nearby; kept.

    A new discriminator learns to tell that point, a training example, from the data. Then the
    descent direction of the non-saturating loss is taken at 500 points around it.
    """
    if not distances:
        return {}

    def measure() -> dict[str, dict[str, float]]:
        train = run.data.train.images
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            critic = new_game(run.recipe(game, seed, path="game"), run.data).discriminator
            critic.to(run.device)
            point = train[torch.randint(len(train), (1,))]
            train_discriminator(
                critic, lambda n: train[torch.randint(len(train), (n,))],
                lambda n: point.expand(n, *point.shape[1:]),
                steps=steps, rate=1e-3, batch_size=128,
            )  # fmt: skip
            unit = torch.nn.functional.normalize(torch.randn(500, train[0].numel()), dim=1)
        size = (train - train.mean(0)).flatten(1).norm(dim=1).mean().item()
        found = {}
        for distance in distances:
            away = (unit * distance * size).to(train).view(500, *train.shape[1:])
            x = (point + away).requires_grad_()
            logits = critic(x).squeeze(1)
            (slope,) = torch.autograd.grad(non_saturating(logits) * 500, x)
            down, back = -slope.flatten(1), -away.flatten(1)
            cosine = nn.functional.cosine_similarity(down, back)
            alike = nn.functional.normalize(down, dim=1)
            pairs = (alike.sum(0).square().sum() - 500) / (500 * 499)
            found[f"{distance:g}"] = {
                "pointing_back": 100 * (cosine > 0).double().mean().item(),
                "cosine": cosine.mean().item(),
                "alike": 100 * pairs.item(),
            }
        return found

    content = {"models": [run.game_key(run.recipe(game, seed, path="game"))], "steps": steps,
               "of": "gradients around a point", "distances": distances}  # fmt: skip
    return run.measured(content, measure, missing={})


def draw(
    run: Run,
    game: dict[str, Any],
    cells: list[Cell],
    grown: dict[str, list[list[float]]],
    ends: dict[str, list[dict[str, float]]],
    modes: Modes,
    samples: int,
) -> None:
    """Modes over time, modes at the end, and the examples of the first seed's games."""
    loss, steps = cells[0][1:]
    shots, epochs = {}, []
    for place in PLACES:
        recipe = cell_recipe(run, game, (place, loss, steps), run.seeds[0])
        played = run.attempt(lambda recipe=recipe: run.played(recipe))
        if played is not None:
            shots[place], epochs = played.snapshots, played.snapshot_epochs
    arrays = {"epochs": torch.tensor(epochs).numpy()}
    arrays |= {f"grown_{name}": torch.tensor(v).numpy() for name, v in grown.items()}
    for array, metric in (("ends", "modes"), ("inside", "high_quality")):
        arrays |= {f"{array}_{name}": torch.tensor([end[metric] for end in found]).numpy()
                   for name, found in ends.items()}  # fmt: skip
    if modes.means is not None:
        arrays |= {f"points_{place}": shot.numpy() for place, shot in shots.items()}
        arrays["data"] = run.data.test.images[:500].cpu().numpy()
    else:
        arrays |= {f"images_{place}": gray_levels(shot[-1][:IMAGES])
                   for place, shot in shots.items()}  # fmt: skip
        arrays["data"] = gray_levels(run.data.test.images[:IMAGES])
    options: dict[str, Any] = {
        "places": list(PLACES),
        "columns": list(dict.fromkeys(cell_name(c).partition(", ")[2] for c in cells)),
        "count": modes.count,
        "counted": [run.config["trainer"]["shown"], samples],
        "inside": INSIDE if modes.sure is None else READ,
        "shown": cell_name(cells[0]).partition(", ")[2],
        "provenance": run.heading(),
    }
    keep(run.folder, "collapse", arrays, options)
    figure.draw(run.folder, arrays, **options)
