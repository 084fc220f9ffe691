"""How much a game costs over the forward and backward passes that it cannot do without.

    advx run experiment=benchmark_gan                  # the two games on digits, few filters
    advx run experiment=benchmark_gan scale=chapter    # as large as they are played

One round of the loop (D's update, then G's) against the bare passes of the same layers: D forward
and backward on real and on generated pictures, G forward, then G forward, D forward, and back
through both to G's parameters, without optimizer, noise, constraint or bookkeeping. Beside it the
rate of these passes' products over that of a large matrix product. Timings differ from run to run.
"""

from typing import Any

import torch
from torch import Tensor

from advx.config.build import build
from advx.evaluation.benchmark import operations_of, product_rate, seconds_of
from advx.games.generative import GenerativeGame
from advx.games.losses import discriminator_loss, generator_loss
from advx.run import Run
from advx.training.construct import new_game
from advx.training.game_trainer import GameTask, GameTrainer
from advx.training.loop import one_epoch
from advx.types import PositiveInt


def main(
    run: Run,
    games: dict[str, Any],
    trainers: dict[str, Any],
    rounds: PositiveInt,
    repeats: PositiveInt,
) -> None:
    """Time every game's rounds and its bare passes, in turns.

    Args:
        run: the run to measure on.
        games: the games' nodes, by name.
        trainers: each one's trainer's node, by the same names.
        rounds: of one measurement.
        repeats: measurements of each; one row each.
    """
    for name, node in games.items():
        trainer: GameTrainer = build(trainers[name] | {"epoch_updates": rounds})
        game = new_game(run.recipe(node, 0, path=f"games.{name}"), run.data).to(run.device)
        task = GameTask(trainer, game, run.data)
        train = run.data.train
        images = train.images[torch.arange(trainer.batch_size) % len(train)]
        z = game.draw(trainer.batch_size, run.device)

        def play(task: GameTask = task) -> None:
            one_epoch(task, seed=0, epoch=1)

        def bare(game: GenerativeGame = game, images: Tensor = images, z: Tensor = z) -> None:
            for _ in range(rounds):
                passes(game, images, z)

        operations = rounds * operations_of(
            lambda game=game, images=images, z=z: passes(game, images, z)
        )
        for work in (play, bare):
            work()  # memory, threads
        for repeat in range(repeats):
            limit = product_rate(run.device)
            with run.timed(name, "rounds"):
                whole = seconds_of(play, run.device)
            with run.timed(name, "bare passes"):
                least = seconds_of(bare, run.device)
            run.record(name, "bare_over_round", least / whole, seed=repeat, unit="ratio")
            share = operations / least / limit
            run.record(name, "bare_share_of_matrix_product", share, seed=repeat, unit="ratio")
            run.record(name, "round", 1e3 * whole / rounds, seed=repeat, unit="ms")
    run.finish()


def passes(game: GenerativeGame, images: Tensor, z: Tensor) -> None:
    """What one round must compute, for images and z (batch, ...)."""
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
