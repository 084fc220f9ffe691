"""The players of a game: networks that each descend a loss of their own.

    players.critic.descend(loss)              one player's step
    players.descend(critic=a, actor=b)        simultaneous steps: all gradients, then all steps
    players.descend_jointly(loss)             all players, one loss, one backward pass
    players.descend_jointly(loss, "critic", "actor")      only these

A backward pass reaches the parameters of the player that descends, and no others: whatever else the
loss depends on stays as it is. Parameters that have no part in the loss do not move.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from advx.errors import ConfigError


class NoPlayer(ConfigError, AttributeError):
    """A game names a player that it does not have."""


class Mover(Protocol):
    """What moves the parameters of one player: an optimizer at work."""

    @property
    def parameters(self) -> Sequence[nn.Parameter]: ...

    def zero_grad(self) -> None: ...

    def step(self, update: int, epoch: int) -> None: ...


class Held:
    """A mover that takes gradients and no steps: its player is held as it is."""

    def __init__(self, network: nn.Module) -> None:
        self.parameters = [*network.parameters()]

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def step(self, update: int, epoch: int) -> None:
        """Stays where it is."""


class Player:
    """One player.

    Args:
        game: all players, for the number of the update.
        mover: its parameters and what moves them.
    """

    def __init__(self, game: "Players", mover: Mover) -> None:
        self._game = game
        self.mover = mover

    def descend(self, loss: Tensor) -> Tensor:
        """One step down `loss`, a scalar; returns its value."""
        self.differentiate(loss)
        self.step()
        return loss.detach()

    def differentiate(self, loss: Tensor, *, again: bool = False) -> None:
        """Take the gradient of `loss`, a scalar, without a step.

        Args:
            loss: what is to be descended.
            again: whether another player differentiates through the same pass later.
        """
        self.mover.zero_grad()
        loss.backward(inputs=self.mover.parameters, retain_graph=again)

    def step(self) -> None:
        """One step along the gradient that was taken."""
        self.mover.step(self._game.update, self._game.epoch)


class Players:
    """All players of a game, by name: `players.generator`.

    Args:
        movers: what moves each, by its name.

    Attributes:
        update: number of the present update, from 0.
        epoch: of the present epoch, from 1.
        progress: share of the training that is over, from 0 to 1.
    """

    def __init__(self, movers: Mapping[str, Mover]) -> None:
        self.update = 0
        self.epoch = 1
        self.progress = 0.0
        self.named = {name: Player(self, mover) for name, mover in movers.items()}

    def __getattr__(self, name: str) -> Player:
        named = self.__dict__.get("named", {})
        if name not in named:
            raise NoPlayer(f"no player {name}; this game has {', '.join(named)}")
        return named[name]

    def descend(self, **losses: Tensor) -> dict[str, Tensor]:
        """Simultaneous steps, each player down its own loss; returns the losses' values.

        Every gradient is taken, in the order given, before anyone moves.
        """
        last = len(losses) - 1
        for place, (name, loss) in enumerate(losses.items()):
            getattr(self, name).differentiate(loss, again=place < last)
        for name in losses:
            getattr(self, name).step()
        return {name: loss.detach() for name, loss in losses.items()}

    def descend_jointly(self, loss: Tensor, *names: str) -> Tensor:
        """Players one step each down the same `loss`, by one backward pass; returns its value.

        Players differ in what `games.reversal` puts between them and the loss.

        Args:
            loss: a scalar.
            names: of those who move; every player where there are none.
        """
        movers = [getattr(self, name).mover for name in names or self.named]
        for mover in movers:
            mover.zero_grad()
        loss.backward(inputs=[p for mover in movers for p in mover.parameters])
        for mover in movers:
            mover.step(self.update, self.epoch)
        return loss.detach()
