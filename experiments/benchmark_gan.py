"""How much a game costs over the forward and backward passes that it cannot do without.

    advx run experiment=benchmark_gan                  # of few filters
    advx run experiment=benchmark_gan scale=chapter    # as large as they are trained

One round of the loop against the bare passes of the same layers, on a minibatch that is in memory,
without optimizer, constraint or bookkeeping. Of a generator and a discriminator these are D forward
and backward on real and on generated images, G forward, then G forward, D forward, and back through
both to G's parameters. Of any other game they are its own update, whose players take gradients and
no steps. Beside it the rate of these passes' products over that of a large matrix product. Timings
differ from run to run.
"""

from collections.abc import Callable, Iterator
from itertools import repeat

import torch
from torch import Tensor

from advx.config.cells import Cells
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.data.domains import pair
from advx.evaluation.benchmark import operations_of, product_rate, seconds_of
from advx.games.base import Game
from advx.games.domain_adversarial import DomainAdversarial
from advx.games.generative import GenerativeGame
from advx.games.losses import discriminator_loss, generator_loss
from advx.games.players import Held, Players
from advx.randomness import seeded
from advx.run import Run
from advx.run.data import fitting
from advx.training.game_trainer import GameTask, GameTrainer
from advx.training.loop import one_epoch
from advx.types import PositiveInt


def cells(games: dict[str, Config], games_on_other_data: dict[str, Config]) -> Iterator[Cells]:
    """What `main` measures with these arguments."""
    rows = [*games, *games_on_other_data]
    yield Cells(rows, ["bare_over_round", "bare_share_of_matrix_product", "round"])


def main(
    run: Run,
    games: dict[str, Config],
    trainers: dict[str, Config],
    games_on_other_data: dict[str, Config],
    other_data: dict[str, Config],
    rounds: PositiveInt,
    repeats: PositiveInt,
) -> None:
    """Time every game's rounds and its bare passes, in turns.

    Args:
        run: the run to measure on.
        games: by name.
        trainers: each one's trainer, by the same names.
        games_on_other_data: further games, by name.
        other_data: by a further game's name, the data set that it is trained on in place of the
            run's; of a game of two domains the target, the run's being the source.
        rounds: of one measurement.
        repeats: measurements of each; one row each.
    """
    for name, config in (games | games_on_other_data).items():
        data = run.data if name in games else run.on(other_data[name]).data
        if issubclass(config.target, DomainAdversarial):
            data = pair(run.data, data)
        with seeded(0):
            game = fitting(config, data).build().to(run.device)
        trainer = trainers[name].with_(epoch_updates=rounds).build()
        one_round = bare_round(game, data.train, trainer.batch_size)
        work = {
            "rounds": training(game, data, trainer),
            "bare passes": repeated(one_round, rounds),
        }
        operations = rounds * operations_of(one_round)
        for each in work.values():
            each()  # memory, threads
        for each_time in range(repeats):
            limit = product_rate(run.device)
            seconds = {}
            for phase, each in work.items():
                with run.timed(name, phase):
                    seconds[phase] = seconds_of(each, run.device)
            whole, least = seconds.values()
            run.table.add(
                name,
                bare_over_round=least / whole,
                bare_share_of_matrix_product=operations / least / limit,
                seed=each_time,
                unit="ratio",
            )
            run.table.add(name, round=1e3 * whole / rounds, seed=each_time, unit="ms")
    run.finish()


def training(game: Game, data: Dataset, trainer: GameTrainer) -> Callable[[], object]:
    """One epoch of the loop, as games are trained."""
    task = GameTask(trainer, game, data)
    return lambda: one_epoch(task, seed=0, epoch=1)


def repeated(work: Callable[[], object], times: int) -> Callable[[], object]:
    """The same work several times."""
    return lambda: [work() for _ in range(times)]


def bare_round(game: Game, train: Split, batch_size: int) -> Callable[[], object]:
    """What one round must compute, on one minibatch."""
    if isinstance(game, GenerativeGame):
        images = train.take(torch.arange(batch_size) % len(train)).images
        z = game.draw(batch_size, images.device)
        return lambda: passes(game, images, z)
    data = repeat(next(game.minibatches(train, batch_size)))
    players = Players({name: Held(getattr(game, name)) for name in game.players})
    return lambda: game.train().update(data, players)


def passes(game: GenerativeGame, images: Tensor, z: Tensor) -> None:
    """The passes of one round, for images and z (batch, ...)."""
    game.train()
    with torch.no_grad():
        fake = game.generate(z)
    discriminator_loss(game.discriminate(images), game.discriminate(fake)).backward()
    for p in game.discriminator.parameters():
        p.requires_grad_(False)
    generator_loss(game.discriminate(game.generate(z))).backward()
    for p in game.discriminator.parameters():
        p.requires_grad_(True)
    game.zero_grad(set_to_none=True)
