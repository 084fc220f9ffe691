"""Arithmetic on z: glasses − no glasses + long hair. Section 1.4.4, Figure 1.7.

    advx run experiment=latent_arithmetic                  # rendered faces, a short game
    advx run experiment=latent_arithmetic scale=chapter    # more faces, a longer one

The procedure: let a convolutional game play on faces whose attributes are known; find z whose faces
a classifier (the probe, right on nearly every render) gives the classes a, b and c; average a few
of each; generate from a − b + c and ask the probe whether it is the fourth class. Beside it what
needs no arithmetic: c alone, c with a random direction of the same length, and the same sum on
pixels; and the sum brought to the length that z usually has, which averages lose. Then once more
with a game that has never seen the fourth class.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from advx.config.build import build
from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.transfer import probabilities
from advx.evaluation.undefined import percent
from advx.figures import arithmetic as figure
from advx.figures.kept import keep
from advx.figures.samples import gray_levels
from advx.games.generative import GenerativeGame
from advx.models.call import predicted
from advx.run import Run
from advx.training.recipe import Recipe
from advx.types import PositiveInt

SUMS = ("a − b + c", "rescaled", "on pixels", "c + random direction", "c alone")
"""What is asked of the probe; the last three are controls."""

GAMES = {
    "": "G was trained on all four classes",
    ", never seen": "G was never trained on the fourth class",
}
"""By the suffix of their rows."""

SURE = 0.9
"""Probability from which a generated face counts as one of its class."""

POOL = 20_000
"""z that are tried for faces of the three classes, at most."""

PICTURED, TRIALS = 3, 8
"""z averaged for each face of the figure, and equations in it."""


def main(
    run: Run,
    game: dict[str, Any],
    probe: dict[str, Any],
    probe_trainer: dict[str, Any],
    plus: str,
    minus: str,
    other: str,
    target: str,
    averaged: list[PositiveInt],
    trials: PositiveInt,
) -> None:
    """How often a − b + c is a face of the target class, against numbers of z averaged.

    Args:
        run: the run to measure on.
        game: the game's node.
        probe: the node of the classifier that says which class a face is of.
        probe_trainer: its trainer's node.
        plus: class a.
        minus: class b.
        other: class c.
        target: the class that a − b + c should be of.
        averaged: numbers of z averaged for each of a, b and c.
        trials: sums tried for each of them.
    """
    named = {"plus": plus, "minus": minus, "other": other, "target": target}
    for key, name in named.items():
        if name not in run.data.class_names:
            raise ConfigError(
                f"{key}={name}: no class of dataset={run.data.name}; valid: "
                f"{'; '.join(run.data.class_names)}"
            )
    classes = tuple(run.data.class_names.index(name) for name in named.values())
    if len(set(classes)) < 4:
        raise ConfigError(f"plus, minus, other, target={list(named.values())}: four different "
                          "classes are needed")  # fmt: skip
    node = {k: v for k, v in run.config["dataset"].items() if k not in ("input_shape", "classes")}
    if node.get("withheld", 0) is not None:
        raise ConfigError(
            f"dataset={run.data.name}: faces with all four classes are needed, of which one is "
            "then withheld; valid: dataset=faces, dataset.withheld=null"
        )
    without = build(node | {"withheld": classes[3]}).to(run.device)
    datas = dict(zip(GAMES, (run.data, without), strict=True))
    with run.progress(models=1 + 2 * len(run.seeds)):
        judge = run.recipe(probe, 0, trainer=probe_trainer, path="probe")
        run.record("probe", "error_rate", run.error_rate(judge), seed=None, n=len(run.data.test))
        drawn: dict[str, tuple[Tensor, Tensor]] = {}
        reached: dict[str, list[list[float]]] = {}
        for seed in run.seeds:
            for suffix, data in datas.items():
                recipe = run.recipe(game, seed, path="game")
                found = arithmetic(run, recipe, data, judge, classes, averaged, trials)
                for row, values in found.items():
                    n = POOL if "generated" in values else trials
                    run.record_all(row + suffix, values, {}, seed=seed, n=n)
                    if row in SUMS:
                        reached.setdefault(row + suffix, []).append(list(values.values()))
                if seed == run.seeds[0]:
                    rows = run.attempt(
                        lambda recipe=recipe, data=data: pictures(run, recipe, data, judge, classes)
                    )
                    drawn |= {} if rows is None else {suffix: rows}
    draw(run, drawn, reached, averaged, classes)
    run.finish()


@torch.no_grad()
def codes(
    game: GenerativeGame, probe: nn.Module, classes: tuple[int, ...], seed: int
) -> dict[int, Tensor]:
    """For each of the classes all z of a pool (m, latent) whose faces the probe is sure of."""
    device = next(game.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = game.draw(POOL).to(device)
    p = torch.cat([probabilities(probe, game.generate(part)) for part in z.split(1000)])
    return {k: z[p[:, k] > SURE] for k in classes}


def arithmetic(
    run: Run, recipe: Recipe, data: Dataset, judge: Recipe, classes: tuple[int, ...],
    averaged: list[int], trials: int,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Percent of the sums, and of the controls, that are of the target class; kept.

    Returns:
        by row: `target_class@COUNT`, COUNT z averaged for each of a, b and c; and `generated`, the
        percent of all z whose faces are surely of a class.
    """

    def measure() -> dict[str, dict[str, float]]:
        probe, network = run.trained(judge).module, run.played(recipe, data).game
        with torch.no_grad():
            return sums(network, probe)

    def sums(network: GenerativeGame, probe: nn.Module) -> dict[str, dict[str, float]]:
        pools = codes(network, probe, classes, recipe.seed)
        plus, minus, other, target = classes
        found = {
            f"faces with {data.class_names[k]}": {"generated": 100 * len(z) / POOL}
            for k, z in pools.items()
        }
        if min(len(pools[k]) for k in (plus, minus, other)) == 0:
            return found
        for count in averaged:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed)
                a, b, c = (means(pools[k], count, trials) for k in (plus, minus, other))
                noise = torch.randn(c[0].shape).to(c[0])
            step = a[0] - b[0]
            away = noise * (step.norm(dim=1) / noise.norm(dim=1))[:, None]
            whole = c[0] + step
            usual = torch.cat(list(pools.values())).norm(dim=1).mean()
            pixels = faces(network, a[1]) - faces(network, b[1]) + faces(network, c[1])
            made = {
                "a − b + c": network.generate(whole),
                "rescaled": network.generate(usual * nn.functional.normalize(whole, dim=1)),
                "on pixels": pixels.clamp(0, 1),
                "c + random direction": network.generate(c[0] + away),
                "c alone": network.generate(c[0]),
            }
            for name, images in made.items():
                said = predicted(probabilities(probe, images))
                share = percent(probe, said == target, said)
                found.setdefault(name, {})[f"target_class@{count}"] = share
        return found

    content = {"models": [run.game_key(recipe, data), run.key(judge)], "of": "sums of z, by row",
               "classes": classes, "averaged": averaged, "trials": trials}  # fmt: skip
    unknown = {"a − b + c": {f"target_class@{count}": math.nan for count in averaged}}
    return run.measured(content, measure, missing=unknown)


def means(pool: Tensor, count: int, trials: int) -> tuple[Tensor, Tensor]:
    """Means (trials, latent) of `count` random z of a pool, and those z (trials, count, latent)."""
    rows = torch.randint(len(pool), (trials, count))
    chosen = pool[rows.to(pool.device)]
    return chosen.mean(1), chosen


def faces(game: GenerativeGame, z: Tensor) -> Tensor:
    """The mean face (trials, *shape) of z (trials, count, latent)."""
    made = [game.generate(part.flatten(0, 1)).unflatten(0, part.shape[:2]).mean(1)
            for part in z.split(max(1, 1000 // z.shape[1]))]  # fmt: skip
    return torch.cat(made)


def pictures(
    run: Run, recipe: Recipe, data: Dataset, judge: Recipe, classes: tuple[int, ...]
) -> tuple[Tensor, Tensor] | None:
    """For the figure: faces of all a, b, c and a − b + c; whether the last are of their class.

    Returns:
        (4 · trials, *shape), and (trials,) bool; None where a class has no faces.
    """
    probe, network = run.trained(judge).module, run.played(recipe, data).game
    pools = codes(network, probe, classes, recipe.seed)
    if min(len(pools[k]) for k in classes[:3]) == 0:
        return None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(recipe.seed + 1)
        a, b, c = (means(pools[k], PICTURED, TRIALS)[0] for k in classes[:3])
        made = [network.generate(z) for z in (a, b, c, a - b + c)]
        return torch.cat(made), predicted(probabilities(probe, made[-1])) == classes[3]


def draw(
    run: Run,
    drawn: dict[str, tuple[Tensor, Tensor]],
    reached: dict[str, list[list[float]]],
    averaged: list[int],
    classes: tuple[int, ...],
) -> None:
    """A row a trial, a − b + c = d; and how often the sums succeed."""
    arrays = {f"faces{suffix}": gray_levels(faces) for suffix, (faces, _) in drawn.items()}
    arrays |= {f"right{suffix}": right.cpu().numpy() for suffix, (_, right) in drawn.items()}
    arrays |= {row: torch.tensor(found).numpy() for row, found in reached.items()}
    arrays["averaged"] = torch.tensor(averaged).numpy()
    options: dict[str, Any] = {
        "games": GAMES,
        "sums": list(SUMS),
        "names": [run.data.class_names[k] for k in classes],
        "pictured": PICTURED,
        "provenance": run.heading(),
    }
    keep(run.folder, "arithmetic", arrays, options)
    figure.draw(run.folder, arrays, **options)
