"""The loop in which two networks play against each other (section 1.4.1).

One round: `discriminator_steps` updates of D, each on a minibatch of data and one of generated
examples, then one update of G. The state of every random generator is a function of seed and epoch,
so that a killed run continues to the same bytes.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advx.data.dataset import Dataset, Split
from advx.errors import Diverged
from advx.games.base import Game
from advx.games.losses import GeneratorLossName, discriminator_loss, generator_loss
from advx.games.watch import watched
from advx.training.trainer import epoch_seed
from advx.types import NonNegativeInt, Positive, PositiveInt, Probability

WATCHED = 256
"""Generated examples, of always the same z, that are looked at after every epoch."""

UpdatesName = Literal["alternating", "simultaneous"]
"""Whether G answers D's new parameters or those that D had when it moved."""


@dataclass
class GameProgress:
    """What a game has gone through.

    Attributes:
        epoch: epochs played.
        history: one row an epoch: losses, D's mean answers, and what `games.watch` saw.
        snapshots: generated examples (shown, *shape) float16 of always the same z.
        snapshot_epochs: after which epochs; 0 is before the first.
        average: moving average of G's parameters, where the trainer keeps one.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    snapshots: list[Tensor] = field(default_factory=list)
    snapshot_epochs: list[int] = field(default_factory=list)
    average: dict[str, Tensor] = field(default_factory=dict)


class PairTrainer:
    """Both players by Adam (Radford et al. 2015).

    Args:
        batch_size: real examples, and generated ones, in one update.
        generator_rate: learning rate of G.
        discriminator_rate: learning rate of D.
        beta1: decay of Adam's first moment.
        beta2: decay of its second.
        discriminator_steps: updates of D for one of G.
        updates: whether G's update answers that of D or goes along with it.
        loss: what G minimises.
        blend: the minimax loss's share in `loss=blended`.
        max_epochs: epochs to play.
        epoch_updates: updates of G in one epoch; None for as many as D sees all the data once.
        snapshots: how often, evenly spaced, the examples of the same z are kept.
        shown: how many of them.
        average: decay of a moving average of G's parameters that is kept instead; None for none.
    """

    def __init__(
        self,
        *,
        batch_size: PositiveInt = 128,
        generator_rate: Positive = 2e-4,
        discriminator_rate: Positive = 2e-4,
        beta1: Probability = 0.5,
        beta2: Probability = 0.999,
        discriminator_steps: PositiveInt = 1,
        updates: UpdatesName = "alternating",
        loss: GeneratorLossName = "non_saturating",
        blend: Probability = 0.5,
        max_epochs: PositiveInt = 25,
        epoch_updates: PositiveInt | None = None,
        snapshots: PositiveInt = 20,
        shown: PositiveInt = 100,
        average: Probability | None = None,
    ) -> None:
        self.batch_size = batch_size
        self.generator_rate = generator_rate
        self.discriminator_rate = discriminator_rate
        self.betas = (beta1, beta2)
        self.discriminator_steps = discriminator_steps
        self.updates = updates
        self.loss = loss
        self.blend = blend
        self.max_epochs = max_epochs
        self.epoch_updates = epoch_updates
        self.snapshots = snapshots
        self.shown = shown
        self.average = average

    def optimisers(self, game: Game) -> dict[str, torch.optim.Optimizer]:
        """One for each player."""
        return {
            name: torch.optim.Adam(player.parameters(), rate, betas=self.betas, fused=True)
            for name, player, rate in (
                ("generator", game.generator, self.generator_rate),
                ("discriminator", game.discriminator, self.discriminator_rate),
            )
        }

    def schedule(self, optimiser: torch.optim.Optimizer, update: int, epoch: int) -> None:
        """Set a player's rates for its next step: G's update (from 0), its epoch (from 1)."""

    def rounds(self, train: Split) -> int:
        """Updates of G in one epoch."""
        seen = self.batch_size * self.discriminator_steps
        return self.epoch_updates or max(1, len(train) // seen)

    def fit(
        self,
        game: Game,
        data: Dataset,
        *,
        seed: NonNegativeInt,
        resume: dict[str, Any] | None = None,
        on_epoch: Callable[[GameProgress, Callable[[], dict[str, Any]]], None] = lambda *_: None,
    ) -> GameProgress:
        """Let the two networks of `game` play, in place.

        Args:
            game: on the device of `data`.
            data: its training examples are those that D is to recognise.
            seed: decides minibatches, z, dropout masks and the z of the snapshots.
            resume: a checkpoint to continue from, as `on_epoch` was given it.
            on_epoch: called after every epoch with the progress and a function that makes a
                checkpoint of it.

        Raises:
            Diverged: a loss is no longer a number; no checkpoint is made of such an epoch.
        """
        optimisers = self.optimisers(game)
        progress = GameProgress()
        if resume is not None:
            game.load_state_dict(resume["game"])
            for name, optimiser in optimisers.items():
                optimiser.load_state_dict(resume[name])
            progress = GameProgress(**copy.deepcopy(resume["progress"]))

        def checkpoint() -> dict[str, Any]:
            states = {name: optimiser.state_dict() for name, optimiser in optimisers.items()}
            return states | {"game": game.state_dict(), "progress": vars(progress)}

        device = data.train.images.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(epoch_seed(seed, 0))
            z = game.draw(max(self.shown, WATCHED), device)
            some = data.train.take(torch.randperm(len(data.train))[:WATCHED])
            wanted = game.condition(
                data.train.images[torch.arange(self.shown, device=device) % len(data.train)],
                torch.arange(self.shown, device=device) % data.classes,
            )
            if not progress.snapshots:
                self._keep(game, progress, z, wanted)
            while progress.epoch < self.max_epochs:
                epoch = progress.epoch + 1
                row = self.one_epoch(game, data.train, optimisers, progress, seed, epoch)
                self._observe(game, progress, row, some, z, wanted)
                on_epoch(progress, checkpoint)
        if progress.average:
            game.generator.load_state_dict(progress.average)
        game.eval()
        return progress

    def one_epoch(
        self,
        game: Game,
        train: Split,
        optimisers: dict[str, torch.optim.Optimizer],
        progress: GameProgress,
        seed: int,
        epoch: int,
    ) -> dict[str, float]:
        """Play one epoch; returns the means of its losses and of D's answers."""
        torch.manual_seed(epoch_seed(seed, epoch))
        game.train()
        minibatches = self.minibatches(train)
        rounds = self.rounds(train)
        sums = torch.zeros(4, device=train.images.device)
        for update in range((epoch - 1) * rounds, epoch * rounds):
            for step in range(self.discriminator_steps):
                x, labels = next(minibatches)
                told = game.condition(x, labels)
                last = step == self.discriminator_steps - 1
                together = self.updates == "simultaneous" and last
                z = game.draw(len(x), x.device)
                with torch.set_grad_enabled(together):
                    fake = game.generate(z, told)
                real_logits = game.judge(x, told)
                fake_logits = game.judge(fake.detach(), told)
                cost = discriminator_loss(real_logits, fake_logits)
                optimisers["discriminator"].zero_grad(set_to_none=True)
                if together:  # G's gradient, from the D that is about to move
                    g_cost = self._answer(game, optimisers, fake, told)
                cost.backward()
                self.schedule(optimisers["discriminator"], update, epoch)
                optimisers["discriminator"].step()
                game.constrain(game.discriminator)
            if self.updates == "alternating":
                z = game.draw(len(x), x.device)  # as many as D was shown
                g_cost = self._answer(game, optimisers, game.generate(z, told), told)
            self.schedule(optimisers["generator"], update, epoch)
            optimisers["generator"].step()
            game.constrain(game.generator)
            self._average(game, progress)
            sums += torch.stack(
                [cost.detach(), g_cost, *(s.detach().sigmoid().mean()
                                          for s in (real_logits, fake_logits))]
            )  # fmt: skip
        names = ("discriminator_loss", "generator_loss", "answer_real", "answer_fake")
        means = dict(zip(names, (sums / rounds).tolist(), strict=True))
        for name in names[:2]:
            if not math.isfinite(means[name]):
                player = name.removesuffix("_loss")
                raise Diverged(
                    f"loss of the {player} became {means[name]} in epoch {epoch}; the checkpoint "
                    "of the epoch before is kept"
                )
        return {"epoch": epoch} | means

    def _answer(
        self,
        game: Game,
        optimisers: dict[str, torch.optim.Optimizer],
        fake: Tensor,
        told: Tensor,
    ) -> Tensor:
        """G's gradient from examples (batch, *shape) that it has made; returns its loss."""
        _require_gradient(game.discriminator, False)
        cost = generator_loss(game.judge(fake, told), self.loss, blend=self.blend)
        optimisers["generator"].zero_grad(set_to_none=True)
        cost.backward()
        _require_gradient(game.discriminator, True)
        return cost.detach()

    def minibatches(self, train: Split) -> Iterator[tuple[Tensor, Tensor]]:
        """Full minibatches without end, the data in a new order whenever it has been seen."""
        size = min(self.batch_size, len(train))
        while True:
            order = torch.randperm(len(train)).to(train.labels.device)
            for batch in order.split(size):
                if len(batch) == size:
                    yield train.images[batch], train.labels[batch]

    def _average(self, game: Game, progress: GameProgress) -> None:
        """Move the average of G's state towards the present one."""
        if self.average is None:
            return
        state = game.generator.state_dict()
        if not progress.average:
            progress.average = {k: v.clone() for k, v in state.items()}
        for name, value in state.items():
            kept = progress.average[name]
            if kept.is_floating_point():
                kept.lerp_(value, 1 - self.average)
            else:
                kept.copy_(value)

    def _observe(
        self,
        game: Game,
        progress: GameProgress,
        row: dict[str, float],
        some: Split,
        z: Tensor,
        wanted: Tensor,
    ) -> None:
        """Look at what is generated, and keep a snapshot where one is due."""
        game.eval()
        with torch.no_grad():
            n = len(some)
            told = game.condition(some.images, some.labels)
            fake = game.generate(z[:n], told)
            logits = [game.judge(x, told) for x in (some.images, fake)]
        progress.epoch += 1
        progress.history.append(row | watched(some.images, fake, *logits))
        due = {round(k * self.max_epochs / self.snapshots) for k in range(1, self.snapshots + 1)}
        if progress.epoch in due:
            self._keep(game, progress, z, wanted)

    def _keep(self, game: Game, progress: GameProgress, z: Tensor, wanted: Tensor) -> None:
        game.eval()
        with torch.no_grad():
            made = game.generate(z[: self.shown], wanted)
        progress.snapshots.append(made.half().cpu())
        progress.snapshot_epochs.append(progress.epoch)


def _require_gradient(network: nn.Module, wanted: bool) -> None:
    for p in network.parameters():
        p.requires_grad_(wanted)
