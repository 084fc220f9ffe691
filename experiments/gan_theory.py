"""What is proved of the game, and what is left of it in practice. Section 1.4.1.

    advx run experiment=gan_theory                  # mixtures of Gaussians on a line
    advx run experiment=gan_theory scale=chapter    # five seeds, longer

The procedure, on densities that are known:
1. Train a discriminator against a generator that stands still: does it become D*, and is the value
   −log 4 where the two densities agree?
2. Ask both generator losses for their gradients where D is sure: which factor makes them vanish?
3. Let networks play with 1, 5, 20 … updates of D for one of G: how near does G come, and does the
   bound that it lowers stay a bound worth lowering?
4. The same with discriminators from too weak to strong, and with a generator that begins where D
   can be sure at once.
5. Compare the gradient of self-contrastive estimation with that of the likelihood.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from advx.config.build import build
from advx.config.cells import Cells
from advx.errors import ConfigError
from advx.evaluation.divergence import (
    LOG4,
    jensen_shannon,
    mixture_density,
    mixture_shares,
    optimal_discriminator,
    sample_shares,
)
from advx.evaluation.divergence import cells as integration_cells
from advx.evaluation.estimation import contrastive_gradients
from advx.evaluation.samples import generated
from advx.figures import theory as figure
from advx.figures.kept import keep
from advx.games.losses import game_value, generator_loss
from advx.run import Run
from advx.training.critic import train_critic
from advx.training.obtain import Recipe
from advx.types import Positive, PositiveInt

REACH = 4.0
"""Standard deviations beyond the outermost mean that the integrals go to."""

CELLS = 2_000
"""Cells of the integrals over densities."""

BINS = 100
"""Cells of the histograms of generated samples."""

POINTS = 10_000
"""Generated points at which G's gradients are measured."""

UNITS = {
    "value": "nats",
    "optimal_value": "nats",
    "divergence": "nats",
    "gap": "nats",
    "printed_factor_minimax": "factor",
    "logit_factor_minimax": "factor",
    "logit_factor_non_saturating": "factor",
    "gradient_minimax": "per unit of x",
    "gradient_non_saturating": "per unit of x",
}
"""The others are percent."""

UPDATES, WIDTH, AFAR = "k = {}", "D of {} units", "from afar, {}, k = {}"
"""Rows of games: of the updates of D for one of G, of D's width, of the loss and the updates."""

ALONE = (
    "answer_error",
    "value",
    "optimal_value",
    "mean_answer",
    "printed_factor_minimax",
    "logit_factor_minimax",
    "logit_factor_non_saturating",
    "gradient_minimax",
    "gradient_non_saturating",
)
PLAYED = ("divergence", "gap", "loosened", "sureness")


def cells(
    generators: dict[str, list[float]],
    discriminator_steps: list[int],
    discriminator_units: list[int],
    sample_counts: list[int],
) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    yield Cells([f"generator {name}" for name in (*generators, "far")], ALONE)
    yield Cells([UPDATES.format(k) for k in discriminator_steps], PLAYED)
    yield Cells([WIDTH.format(w) for w in discriminator_units], PLAYED)
    for loss in ("minimax", "non-saturating"):
        yield Cells([AFAR.format(loss, k) for k in discriminator_steps[:3:2]], PLAYED)
    for kind in ("self-contrastive", "noise-contrastive"):
        yield Cells([f"{kind}, n = {n}" for n in sample_counts], ("cosine", "length"))


def main(
    run: Run,
    game: dict[str, Any],
    generators: dict[str, list[float]],
    critic_steps: PositiveInt,
    critic_batch: PositiveInt,
    far: Positive,
    discriminator_steps: list[PositiveInt],
    discriminator_units: list[PositiveInt],
    samples: PositiveInt,
    sample_counts: list[PositiveInt],
) -> None:
    """The five parts.

    Args:
        run: the run to measure on, on dataset=line.
        game: the node of the game whose networks play.
        generators: fixed generators by name: mean and standard deviation of a Gaussian; [] is one
            that draws from the data's own density.
        critic_steps: updates of a discriminator that learns alone.
        critic_batch: examples of either kind in one of them.
        far: mean of a Gaussian generator that makes nothing like the data, and where the games from
            afar begin.
        discriminator_steps: updates of D for one of G.
        discriminator_units: widths of D's hidden layers.
        samples: generated for a histogram.
        sample_counts: examples in one estimate of a gradient.
    """
    if run.data.name != "line":
        raise ConfigError(f"dataset={run.data.name}: a known density on a line is needed; "
                          "valid: dataset=line")  # fmt: skip
    node = run.config["dataset"]
    means, deviation = torch.tensor(node["means"]), node["deviation"]
    steps = {UPDATES.format(k): (game, {"discriminator_steps": k}) for k in discriminator_steps}
    widths = {WIDTH.format(w): (game | {"discriminator_units": [w, w]}, {})
              for w in discriminator_units}  # fmt: skip
    afar = {
        AFAR.format(loss.replace("_", "-"), k): (
            game | {"offset": far}, {"discriminator_steps": k, "loss": loss},
        )
        for loss in ("minimax", "non_saturating")
        for k in discriminator_steps[:3:2]
    }  # fmt: skip
    games = steps | widths | afar
    curves: dict[str, dict[str, list[float]]] = {}
    shots: dict[str, list[float]] = {}
    ends: dict[str, list[float]] = {}
    with run.progress(models=len(games) * len(run.seeds)):
        for seed in run.seeds:
            for name, parameters in (generators | {"far": [far, deviation]}).items():
                found = alone(run, game, parameters, means, deviation, seed,
                              critic_steps, critic_batch)  # fmt: skip
                run.record_all(f"generator {name}", found["numbers"], UNITS, seed=seed, n=POINTS)
                if seed == run.seeds[0] and name in generators:
                    curves[name] = found["curves"]
            for name, (nodes, changes) in games.items():
                trainer = run.config["trainer"] | changes
                recipe = run.recipe(nodes, seed, trainer=trainer, path="game")
                found = played(run, recipe, means, deviation, samples)
                over_time = found.pop("over_time", None)
                run.record_all(name, found, UNITS, seed=seed, n=samples)
                ends.setdefault(name, []).append(found["divergence"])
                if over_time and seed == run.seeds[0]:
                    shots[name] = over_time
            estimated(run, sample_counts, seed)
    draw(run, curves, shots, ends, panels(discriminator_steps, discriminator_units, far))
    run.finish()


def panels(steps: list[int], units: list[int], far: float) -> dict[str, dict[str, str]]:
    """The figure's panels of games: by title, what the games' lines are called."""
    losses = ("minimax", "non-saturating")
    return {
        "k updates of D for one of G": {UPDATES.format(k): f"k = {k}" for k in steps},
        "units in each of D's two layers": {WIDTH.format(w): f"{w} units" for w in units},
        f"G begins near x = {far:g}: loss, k": {
            AFAR.format(loss, k): f"{loss}, {k}"
            for loss in losses for k in steps[:3:2]
        },
    }  # fmt: skip


def alone(
    run: Run,
    game: dict[str, Any],
    parameters: list[float],
    means: Tensor,
    deviation: float,
    seed: int,
    steps: int,
    batch: int,
) -> dict[str, dict[str, Any]]:
    """A discriminator against a fixed generator: curves over x, and numbers; kept."""
    content = {"models": [], "of": "discriminator alone", "game": game, "generator": parameters,
               "means": means.tolist(), "deviation": deviation, "steps": steps, "batch": batch,
               "seed": seed}  # fmt: skip
    return run.measured(
        content, lambda: compared(game, parameters, means, deviation, seed, steps, batch)
    )


def compared(
    game: dict[str, Any], parameters: list[float], means: Tensor, deviation: float,
    seed: int, steps: int, batch: int,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Train the discriminator, and set it beside D*; and the gradients that it hands to G."""
    centres, spread = (torch.tensor(parameters[:1]), parameters[1]) if parameters else (
        means, deviation)  # fmt: skip
    everything = torch.cat([means, centres])
    reach = REACH * max(deviation, spread)
    low, high = everything.min().item() - reach, everything.max().item() + reach
    edges, x = integration_cells(low, high, CELLS)
    width = (high - low) / CELLS
    p, q = mixture_density(x, means, deviation), mixture_density(x, centres, spread)

    def drawn(about: Tensor, size: float) -> Any:
        return lambda n: about[torch.randint(len(about), (n, 1))] + size * torch.randn(n, 1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = build(game).discriminator
        real, fake = drawn(means, deviation), drawn(centres, spread)
        train_critic(critic, real, fake, steps=steps, rate=5e-3, final_rate=5e-5, batch_size=batch)
        made = fake(POINTS).requires_grad_()
    with torch.no_grad():
        logits = critic(x.float()[:, None]).squeeze(1).double()
    answer, best = logits.sigmoid(), optimal_discriminator(p, q)
    found = {
        "answer_error": 100 * ((answer - best).abs() * (p + q) / 2).sum().item() * width,
        "value": (p * -torch.nn.functional.softplus(-logits)
                  - q * torch.nn.functional.softplus(logits)).sum().item() * width,
        "optimal_value": -LOG4 + 2 * jensen_shannon(
            mixture_shares(edges, means, deviation), mixture_shares(edges, centres, spread)),
    }  # fmt: skip
    s = critic(made).squeeze(1)
    d = s.detach().double().sigmoid()
    found["mean_answer"] = 100 * d.mean().item()
    found["printed_factor_minimax"] = (1 / (1 - d)).mean().item()
    found["logit_factor_minimax"] = d.mean().item()
    found["logit_factor_non_saturating"] = (1 - d).mean().item()
    for loss in ("minimax", "non_saturating"):
        (slope,) = torch.autograd.grad(
            generator_loss(s, loss) * len(s),
            made,
            retain_graph=True,  # type: ignore[arg-type]
        )
        found[f"gradient_{loss}"] = slope.abs().mean().item()
    curves = {"x": x, "p": p, "q": q, "answer": answer, "best": best}
    return {"numbers": found, "curves": {name: c.tolist() for name, c in curves.items()}}


def played(
    run: Run, recipe: Recipe, means: Tensor, deviation: float, samples: int
) -> dict[str, Any]:
    """How near the generator comes, and what the value says of it; kept."""

    def measure() -> dict[str, Any]:
        outcome = run.played(recipe)
        reach = REACH * deviation
        edges, _ = integration_cells(means.min().item() - reach, means.max().item() + reach, BINS)
        truth = mixture_shares(edges, means, deviation)
        over_time = [jensen_shannon(truth, sample_shares(shot.flatten(), edges))
                     for shot in outcome.snapshots]  # fmt: skip
        made = generated(outcome.game, samples, device=run.device)
        with torch.no_grad():
            value = game_value(outcome.game.judge(run.data.test.images), outcome.game.judge(made))
        distance = jensen_shannon(truth, sample_shares(made.flatten().cpu(), edges))
        bound = [-row["discriminator_loss"] for row in outcome.history]
        epochs = outcome.snapshot_epochs[1:]
        values = torch.tensor([bound[e - 1] for e in epochs])
        fell, rose = values.diff() < 0, torch.tensor(over_time[1:]).diff() > 0
        return {
            "divergence": distance,
            "gap": -LOG4 + 2 * distance - value.item(),
            "loosened": 100 * (fell & rose).sum().item() / max(1, int(fell.sum())),
            "sureness": 100 * outcome.history[-1]["sureness"],
            "over_time": over_time,
        }

    content = {"models": [run.game_key(recipe)], "of": "divergence", "samples": samples}
    return run.measured(content, measure, missing={"divergence": math.nan})


def estimated(run: Run, counts: list[int], seed: int) -> None:
    """Self-contrastive and noise-contrastive gradients beside the likelihood's."""
    content = {"models": [], "of": "contrastive gradients", "counts": counts, "seed": seed}
    found = run.measured(content, lambda: contrastive_gradients(counts, seed))
    for row, metrics in found.items():
        for metric, value in metrics.items():
            unit = "cosine" if metric == "cosine" else "ratio"
            run.record(row, metric, value, seed=seed, n=int(row.rpartition(" ")[2]), unit=unit)


def draw(
    run: Run,
    curves: dict[str, dict[str, list[float]]],
    shots: dict[str, list[float]],
    ends: dict[str, list[float]],
    games: dict[str, dict[str, str]],
) -> None:
    """D beside D*, the factors of both losses, and divergence over time."""
    arrays = {f"{kind}_{name}": torch.tensor(values).numpy()
              for name, found in curves.items() for kind, values in found.items()}  # fmt: skip
    arrays |= {f"divergence_{name}": torch.tensor(values).numpy() for name, values in shots.items()}
    arrays |= {f"ends_{name}": torch.tensor(values).numpy() for name, values in ends.items()}
    options = {"generators": list(curves), "games": games, "most": math.log(2),
               "provenance": run.heading()}  # fmt: skip
    keep(run.folder, "theory", arrays, options)
    figure.draw(run.folder, arrays, **options)
