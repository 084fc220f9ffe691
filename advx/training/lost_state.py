"""What a user's own network or game keeps outside of its `state_dict`, and would lose in the store.

A network is kept as its `state_dict`: parameters and persistent buffers. A running mean in a plain
attribute, a buffer with `persistent=False` or what `adapt` sets aside is not in it. Such a network
answers differently once it is read from the store, so it is refused before anything is measured.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advx.attacks.gradient import evaluating
from advx.data.dataset import Dataset
from advx.errors import ConfigError, reason
from advx.games.base import Game
from advx.models.call import REPEATED, TRIED, logits_in, refuse_failure
from advx.store.store import CHECKPOINT
from advx.training.checkpoints import CheckpointedTraining
from advx.training.loop import Progress
from advx.training.plain_state import digests

SEED = 0
"""Of the random numbers that a network may draw in evaluation mode: the same in each pass."""


@contextmanager
def whole_in_its_weights(
    training: CheckpointedTraining, module: nn.Module, untrained: Callable[[], nn.Module]
) -> Iterator[None]:
    """Let a network be trained inside, and refuse a user's own that its weights do not hold.

    It is tried after the first epoch, so that no long training is in vain, and after the last one.

    Args:
        training: of the network, not yet begun.
        module: the network; a user's own, or what a defense of theirs makes of one.
        untrained: makes a new one of the same recipe.

    Raises:
        ConfigError: see `refuse_lost_state`; no checkpoint is left. Or the training fails.
    """
    recipe = training.recipe
    if not (recipe.model.is_own or recipe.defense.is_own):
        yield
        return
    name = f"{recipe.path} ({recipe.name})"
    if not recipe.model.is_own:
        name = f"defense={recipe.defense.target_name}: what it makes of {name}"
    refuse_other_than_tensors(module, name)
    with _tried(training, lambda: refuse_lost_state(module, untrained(), training.data, name)):
        try:
            yield
        except Exception as error:  # whatever a user's own network or defense raises
            refuse_failure(error, name, "its training")
            raise


@contextmanager
def game_whole_in_its_weights(
    training: CheckpointedTraining, game: Game, untrained: Callable[[], Game]
) -> Iterator[None]:
    """The same of a game, by the examples that its observer sees; one that sees none passes.

    Args:
        training: of the game, not yet begun.
        game: the game; a user's own.
        untrained: makes a new one of the same recipe.

    Raises:
        ConfigError: the examples depend on more than its `state_dict`; no checkpoint is left.
    """
    recipe = training.recipe
    if not recipe.model.is_own:
        yield
        return
    name = f"{recipe.path} ({recipe.name})"
    refuse_other_than_tensors(game, name)
    with _tried(
        training, lambda: refuse_lost_state_of_a_game(game, untrained(), training.data, name)
    ):
        yield


@contextmanager
def _tried(training: CheckpointedTraining, refuse: Callable[[], None]) -> Iterator[None]:
    """Call `refuse` after the first epoch of a training and, once it is over, again."""
    shown, tried = training.on_epoch, False

    def check() -> None:
        try:
            refuse()
        except ConfigError:
            # a network that continued from it would have lost its state already, and pass
            (training.store.path(training.key) / CHECKPOINT).unlink(missing_ok=True)
            raise

    def after_epoch(progress: Progress) -> None:
        nonlocal tried
        if not tried:
            check()
        tried = True
        shown(progress)

    training.on_epoch = after_epoch
    yield
    check()


def refuse_other_than_tensors(module: nn.Module, name: str) -> None:
    """Refuse a network whose `state_dict` holds what no store can, as `get_extra_state` may.

    Raises:
        ConfigError: a value that is no tensor.
    """
    for key, value in module.state_dict().items():
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"{name}: its state_dict holds a {type(value).__name__} ({key}); needed: tensors "
                "alone, as self.register_buffer(name, tensor) makes them"
            )


def refuse_lost_state(module: nn.Module, fresh: nn.Module, data: Dataset, name: str) -> None:
    """Refuse a network that a new one with its weights does not answer like.

    A network that does not even answer like itself is random, and passes.

    Args:
        module: in training or trained, on the data's device; its `state_dict` and its mode are left
            as they are.
        fresh: a new one of the same recipe; it is given the weights.
        data: that it is trained on; a few of its images are shown to both.
        name: what messages call it.

    Raises:
        ConfigError: its answers depend on more than its `state_dict`.
    """
    state = _given(module, fresh, data, name)
    split = data.test if len(data.test) else data.train
    images = split.take(split.spaced(TRIED)).images
    lost = _differing(module, fresh)
    answers = [_answer(each, images) for each in (module, module, fresh)]
    module.load_state_dict(state)  # a network may move its buffers in evaluation mode too
    _refuse_difference(name, "answers", "logits", answers, lost)


def refuse_lost_state_of_a_game(game: Game, fresh: Game, data: Dataset, name: str) -> None:
    """Refuse a game whose observer sees other examples of a new one with its weights.

    One that makes no examples, or other ones in each pass, passes.

    Args:
        game: in training or trained; its `state_dict` and its mode are left as they are.
        fresh: a new one of the same recipe; it is given the weights.
        data: that it is trained on.
        name: what messages call it.

    Raises:
        ConfigError: its examples depend on more than its `state_dict`.
    """
    state = _given(game, fresh, data, name)
    lost = _differing(game, fresh)
    seen = [_samples(each, data) for each in (game, game, fresh)]
    game.load_state_dict(state)
    samples = [each for each in seen if each is not None]
    if len(samples) == len(seen):
        _refuse_difference(name, "makes examples", "examples", samples, lost)


def _given(module: nn.Module, fresh: nn.Module, data: Dataset, name: str) -> dict[str, Tensor]:
    """A copy of a network's `state_dict`, which a new one has been given too.

    Raises:
        ConfigError: it does not fit.
    """
    state = {key: value.detach().clone() for key, value in module.state_dict().items()}
    try:
        fresh.to(data.train.images.device).load_state_dict(state)
    except RuntimeError as error:
        raise ConfigError(
            f"{name}: its state_dict does not fit a new network of the same class "
            f"({reason(error)}); needed: a constructor that makes all of its parameters and buffers"
        ) from error
    return state


def _refuse_difference(
    name: str, does: str, what: str, results: list[Tensor], lost: list[str]
) -> None:
    """Refuse a network unlike a new one with its weights; not one that is unlike itself.

    Args:
        name: of the network.
        does: what it does differently: "answers".
        what: the results: "logits".
        results: of the network, of the network again, and of the new one.
        lost: names of attributes in which the two differ.

    Raises:
        ConfigError: the third of the results differs, and the second does not.
    """
    first, again, other = results
    size = max(_largest(first), torch.finfo(torch.float32).tiny)
    rounding = max(REPEATED, 8 * torch.finfo(first.dtype).eps) * size
    apart = _largest(first.float() - other.float())
    if _largest(first.float() - again.float()) > rounding or apart <= rounding:
        return
    raise ConfigError(
        f"{name}: keeps state outside of its state_dict{_listed(lost)}, so a network with its "
        f"stored weights {does} differently, by up to {apart:.2g} in {what} of up to {size:.2g}; "
        "needed: everything that its answers depend on in parameters or in buffers, as "
        "self.register_buffer(name, tensor) makes them, not with persistent=False"
    )


@torch.no_grad()
def _samples(game: Game, data: Dataset) -> Tensor | None:
    """The examples that a game's observer sees, in evaluation mode; None where it sees none."""
    device = data.train.images.device
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), evaluating(game):
        torch.manual_seed(SEED)
        try:
            made = game.observer(data, TRIED).samples()
        except Exception:  # an observer may need what `begin` has chosen, which a new game has not
            return None
    return made if made is None or made.is_floating_point() else made.float()


@torch.no_grad()
def _answer(module: nn.Module, images: Tensor) -> Tensor:
    """Logits (n, classes) in evaluation mode, in the number format of the network's answer."""
    cuda = [images.device] if images.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), evaluating(module):
        torch.manual_seed(SEED)
        logits = logits_in(module(images.clone()), module)
    return logits.clone() if logits.is_floating_point() else logits.float()


def _largest(values: Tensor) -> float:
    """The largest magnitude, NaN counting as 0."""
    return float(values.nan_to_num(0.0).abs().max())


def _listed(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _differing(module: nn.Module, fresh: nn.Module) -> list[str]:
    """Names of the attributes and unsaved buffers in which two networks of a kind differ."""
    there = digests(fresh, fresh)
    return sorted(name for name, d in digests(module, module).items() if there.get(name) != d)
