"""Networks before their training: made under their seed, and tried on some of the images."""

import copy

import torch
from torch import Tensor, nn

from advx.config.build import plain
from advx.data.dataset import Dataset
from advx.errors import ConfigError, reason
from advx.games.base import Game
from advx.models.base import FittedClassifier
from advx.models.call import logits_of
from advx.randomness import seeded
from advx.training.alone import fails_alone
from advx.training.recipe import Recipe


def construct(recipe: Recipe, data: Dataset) -> nn.Module:
    """The untrained module, checked to accept the data's images and to return one logit a class.

    Raises:
        ConfigError: it does not fit the data.
    """
    if data.classes < 2:
        raise ConfigError(
            f"dataset.classes={data.classes}: a classifier needs two classes at least, and one "
            "logit for each"
        )
    with seeded(recipe.seed if recipe.random else 0):
        module = recipe.model.build()
        if not isinstance(module, nn.Module):
            raise ConfigError(
                f"{recipe.path}._target_={recipe.model['_target_']}: makes a "
                f"{type(module).__name__}, a torch.nn.Module is needed"
            )
        if isinstance(module, FittedClassifier):
            wanted = tuple(plain(recipe.model).get("input_shape", data.input_shape))
            misfit = "" if wanted == data.input_shape else f"it is for images {wanted}"
        else:  # under the seed: a first forward pass may draw weights (lazy layers)
            misfit = first_pass(module.eval(), data)
    if misfit:
        raise ConfigError(
            f"{recipe.path} does not fit dataset={data.name} (images {data.input_shape}, "
            f"{data.classes} classes): {misfit}"
        )
    return module


def refuse_single_examples(recipe: Recipe, module: nn.Module, data: Dataset) -> None:
    """Refuse to train on no examples, or on one at a time where a network needs several.

    Raises:
        ConfigError: no training examples; or a minibatch of one, and a network that fails on it.
    """
    if not recipe.random:
        return
    refuse_empty(recipe, data)
    full = getattr(recipe.trainer.build(), "full_minibatch", None)
    if full is None or full(data.train) > 1:
        return
    labels = data.train.labels[:1].cpu()
    because = fails_alone(module, recipe.defense.build(), some_images(data, 1), labels)
    if because:
        raise ConfigError(
            f"trainer.batch_size={recipe.trainer.get('batch_size')}: {recipe.path} "
            f"({recipe.name}) cannot be trained on a single example ({because}); valid: "
            "minibatches, and a training set, from 2"
        )


def refuse_empty(recipe: Recipe, data: Dataset) -> None:
    """Refuse to train on nothing, as on a second data set without training examples.

    Raises:
        ConfigError: there is none.
    """
    if len(data.train) == 0:
        raise ConfigError(
            f"{recipe.path}: {data.name} has nothing to train on; set the training_share of its "
            "data set, e.g. to 0.8"
        )


def new_game(recipe: Recipe, data: Dataset) -> Game:
    """The game before its first epoch, checked to fit the data.

    Raises:
        ConfigError: it does not, or there is nothing to train on.
    """
    refuse_empty(recipe, data)
    if recipe.model.get("weights"):
        raise ConfigError(
            f"{recipe.path}.weights={recipe.model['weights']}: a game is trained here, or read "
            "from the store; leave the key out"
        )
    with seeded(recipe.seed):
        game = recipe.model.build()
        if not isinstance(game, Game):
            raise ConfigError(
                f"{recipe.path}._target_={recipe.model['_target_']}: makes a "
                f"{type(game).__name__}, an advx.games.base.Game is needed"
            )
        images = some_images(data, 2)
        try:
            misfit = game.eval().misfit(images, torch.zeros(2, dtype=torch.int64))
        except Exception as error:  # whatever a user's own networks raise
            misfit = f"its networks fail on {images.dtype} images ({reason(error)})"
    if misfit:
        raise ConfigError(
            f"{recipe.path} does not fit dataset={data.name} (examples {data.input_shape}): "
            f"{misfit}"
        )
    return game.train()


def refuse_single_pairs(recipe: Recipe, game: Game, data: Dataset) -> None:
    """Refuse to train a game on one example at a time where a network normalizes over the batch.

    Raises:
        ConfigError: it does; the game is left as it was.
    """
    size = min(getattr(recipe.trainer.build(), "batch_size", 2), len(data.train))
    if size > 1:
        return
    copied, images = copy.deepcopy(game).train(), some_images(data, 1)
    try:
        with seeded(recipe.seed):
            copied.misfit(images, torch.zeros(1, dtype=torch.int64))
    except Exception as error:  # whatever a user's own networks raise
        raise ConfigError(
            f"{recipe.path}: cannot be trained on a single example at a time ({reason(error)}); "
            "valid: a trainer.batch_size, and a training set, from 2"
        ) from error


def some_images(data: Dataset, count: int) -> Tensor:
    """So many of the data set's images, (count, *shape), on the CPU; the first ones, or zeros."""
    split = data.train if len(data.train) else data.test
    if not len(split):
        return torch.zeros(count, *data.input_shape, dtype=torch.float32)
    rows = torch.arange(count, device=split.labels.device) % len(split)
    return split.images[rows].cpu()


@torch.no_grad()
def first_pass(module: nn.Module, data: Dataset) -> str:
    """Why a network does not fit the data, on one line; empty where it does.

    It is shown two of the data set's own images, in their number format, in the mode it is in.
    Lazy layers get their weights here.
    """
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    images = some_images(data, 2).to(device)
    try:
        shape = tuple(logits_of(module, images).shape)
    except Exception as error:  # whatever a user's own forward raises
        return f"its forward pass on {images.dtype} images fails ({reason(error)})"
    if shape == (2, data.classes):
        return ""
    text = f"a batch of 2 gives {shape}, (2, {data.classes}) is needed"
    if data.classes == 2 and shape in ((2,), (2, 1)):
        text += "; for one logit z return torch.stack([-z / 2, z / 2], 1)"
    return text
