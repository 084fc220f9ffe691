"""Does batch normalization keep a generator from collapsing? Section 1.4.2.

    advx run experiment=gan_collapse                  # a ring of eight modes, two seeds
    advx run experiment=gan_collapse scale=chapter    # five seeds, longer
    advx run experiment=gan_collapse dataset=grid     # twenty-five modes

The procedure: let two small networks play with batch normalization in neither, in G, in D and in
both, with either loss and one or several updates of D for one of G; count the modes of the data
that the generator has, while they play and at the end. Then start from a generator that makes a
single point, and ask where the gradients around such a point lead.
"""

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn

from advx.data.mixtures import grid_means, ring_means
from advx.errors import ConfigError
from advx.evaluation.modes import mode_measures, nearest_modes
from advx.evaluation.samples import generated
from advx.figures import collapse as figure
from advx.figures.kept import keep
from advx.games.losses import GeneratorLossName, non_saturating
from advx.run import Run
from advx.training.critic import train_critic
from advx.training.obtain import Recipe
from advx.training.play import new_game
from advx.types import Positive, PositiveInt

PLACES = {
    "neither": (False, False),
    "in G": (True, False),
    "in D": (False, True),
    "in both": (True, True),
}
"""Where batch normalization stands: in G, in D."""

UNITS = {"modes": "modes", "reverse_kl": "nats"}

Cell = tuple[str, GeneratorLossName, int]
"""Where batch normalization stands, what G minimises, updates of D for one of G."""


def main(
    run: Run,
    game: dict[str, Any],
    losses: list[GeneratorLossName],
    discriminator_steps: list[PositiveInt],
    samples: PositiveInt,
    spread: Positive,
    distances: list[Positive],
    critic_steps: PositiveInt,
) -> None:
    """Modes of every cell; what a game does that begins at one point; gradients around a point.

    Args:
        run: the run to measure on.
        game: the game's node, with `batch_norm_generator`, `batch_norm_discriminator`, `spread`.
        losses: what G minimises.
        discriminator_steps: updates of D for one of G.
        samples: generated examples whose modes are counted.
        spread: factor of G's first weights in the games that begin at (nearly) one point.
        distances: of the points around a single generated one, in units of the data's spread.
        critic_steps: updates of the discriminator that has only that point to recognise.
    """
    for key in ("batch_norm_generator", "batch_norm_discriminator", "spread"):
        if key not in game:
            raise ConfigError(f"game={game['name']}: has no {key}; valid: game=multilayer")
    means, deviation = known_modes(run)
    cells: list[Cell] = list(itertools.product(PLACES, losses, discriminator_steps))
    grown: dict[str, list[list[float]]] = {}
    ends: dict[str, list[float]] = {}
    shares = mode_shares(run.data.test.images, means, deviation)
    floor = mode_measures(nearest_modes(run.data.train.images[:samples], means, deviation), shares)
    for metric, value in floor.items():
        run.record("data against data", metric, value, seed=None, n=samples,
                   unit=UNITS.get(metric, "percent"))  # fmt: skip
    with run.progress(models=(len(cells) + len(PLACES)) * len(run.seeds)):
        for seed in run.seeds:
            for cell in cells:
                name = cell_name(cell)
                recipe = cell_recipe(run, game, cell, seed)
                found = measured(run, recipe, means, deviation, shares, samples)
                report(run, name, found, seed, samples)
                if found:
                    grown.setdefault(name, []).append(found["over_time"])
                    ends.setdefault(name, []).append(found["end"]["modes"])
            for place in PLACES:
                cell = (place, losses[0], discriminator_steps[0])
                recipe = cell_recipe(run, game | {"spread": spread}, cell, seed)
                found = measured(run, recipe, means, deviation, shares, samples)
                report(run, f"from one point, {place}", found, seed, samples)
            around = gradients_around(run, game, seed, distances, critic_steps)
            for distance, values in around.items():
                for metric, value in values.items():
                    run.record(f"{distance} from the point", metric, value, seed=seed, n=500,
                               unit="cosine" if metric == "cosine" else "percent")  # fmt: skip
    draw(run, game, cells, grown, ends, means)
    run.finish()


def known_modes(run: Run) -> tuple[Tensor, float]:
    """The means (modes, 2) and the standard deviation of the mixture that the data come from."""
    node = run.config["dataset"]
    if run.data.name == "ring":
        return ring_means(node["modes"], node["radius"]).to(run.device), node["deviation"]
    if run.data.name == "grid":
        return grid_means(node["side"], node["spacing"]).to(run.device), node["deviation"]
    raise ConfigError(f"dataset={run.data.name}: its modes are not known; valid: ring, grid")


def mode_shares(points: Tensor, means: Tensor, deviation: float) -> Tensor:
    """Share of the points (n, 2) in every mode, (modes,); those in none are missing in the sum."""
    found = nearest_modes(points, means, deviation)
    return torch.bincount(found[found >= 0], minlength=len(means)) / len(found)


def cell_name(cell: Cell) -> str:
    """What a cell's row is called."""
    place, loss, steps = cell
    return f"{place}, {loss.replace('_', '-')}, k = {steps}"


def cell_recipe(run: Run, game: dict[str, Any], cell: Cell, seed: int) -> Recipe:
    """The recipe of a cell's game."""
    place, loss, steps = cell
    in_g, in_d = PLACES[place]
    node = game | {"batch_norm_generator": in_g, "batch_norm_discriminator": in_d}
    trainer = run.config["trainer"] | {"loss": loss, "discriminator_steps": steps}
    return run.recipe(node, seed, trainer=trainer, path="game")


def measured(
    run: Run, recipe: Recipe, means: Tensor, deviation: float, shares: Tensor, samples: int
) -> dict[str, Any]:
    """Modes at the end and at every snapshot, and warnings; kept."""

    def measure() -> dict[str, Any]:
        played = run.played(recipe)
        made = generated(played.game, samples, device=run.device)
        over_time = [
            mode_measures(nearest_modes(shot.to(means), means, deviation), shares)["modes"]
            for shot in played.snapshots
        ]
        spread = [row["diversity"] >= 0.5 for row in played.history]
        return {
            "end": mode_measures(nearest_modes(made, means, deviation), shares),
            "over_time": over_time,
            "epochs": played.snapshot_epochs,
            "spread": 100 * sum(spread) / len(spread),
            "flags": played.flags(),
            "epochs_played": len(played.history),
        }

    content = {"models": [run.game_key(recipe)], "of": "modes", "samples": samples}
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

    def measure() -> dict[str, dict[str, float]]:
        train = run.data.train.images
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            critic = new_game(run.recipe(game, seed, path="game"), run.data).discriminator
            critic.to(run.device)
            point = train[torch.randint(len(train), (1,))]
            train_critic(
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
    ends: dict[str, list[float]],
    means: Tensor,
) -> None:
    """Modes over time, modes at the end, and the points of the first seed's games."""
    arrays = {"means": means.cpu().numpy(), "data": run.data.test.images[:500].cpu().numpy()}
    loss, steps = cells[0][1], cells[0][2]
    for place in PLACES:
        played = run.attempt(
            lambda place=place: run.played(
                cell_recipe(run, game, (place, loss, steps), run.seeds[0])
            )
        )
        if played is not None:
            arrays[f"points_{place}"] = played.snapshots.numpy()
            arrays["epochs"] = torch.tensor(played.snapshot_epochs).numpy()
    arrays |= {f"grown_{name}": torch.tensor(v).numpy() for name, v in grown.items()}
    arrays |= {f"ends_{name}": torch.tensor(v).numpy() for name, v in ends.items()}
    options = {
        "places": list(PLACES),
        "columns": list(dict.fromkeys(cell_name(c).partition(", ")[2] for c in cells)),
        "shown": cell_name(cells[0]).partition(", ")[2],
        "title": run.heading(),
    }
    keep(run.folder, "collapse", arrays, options)
    figure.draw(run.folder, arrays, **options)
