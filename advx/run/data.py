"""A run's data set on its device, and the parts of it that models are trained and scored on."""

import re
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from advx.config.build import takes
from advx.config.config import Config
from advx.data.dataset import Dataset, Split
from advx.data.own import usable
from advx.data.stacked_mnist import first_digits
from advx.errors import ConfigError, DataError
from advx.randomness import seeded
from advx.run.notices import Seconds
from advx.training.recipe import DataPart

DESCRIPTIVE = ("input_shape", "classes")
"""Keys of the data set's configuration that describe it for the models; a loader of a user's own
with a parameter of such a name is given it as well."""

PARTS: dict[DataPart, Callable[[Dataset], Dataset]] = {
    "training examples": lambda data: data,
    "training and validation examples": Dataset.merged,
    "first half": lambda data: data.half(0),
    "second half": lambda data: data.half(1),
    "half as large": lambda data: data.shrunk(2),
    "a quarter as large": lambda data: data.shrunk(4),
    "the first digits": first_digits,
}
"""What a model may be trained on; the test examples are the same for all."""


def fitting(config: Config, data: Dataset) -> Config:
    """A network's or a game's configuration for these images, and for their classes if it asks."""
    classes = {"classes": data.classes} if "classes" in config else {}
    return config.with_(input_shape=list(data.input_shape), **classes)


def loader_of(config: Config) -> Config:
    """What loads a data set: its configuration without what only describes it."""
    return Config(
        {k: v for k, v in config.items() if k not in DESCRIPTIVE or takes(config, k)}, config.path
    )


def in_place(message: str, path: str) -> str:
    """A loader's message, which speaks of `dataset`, for a data set that stands under another key.

    `dataset.digests=FILE` becomes `digits.digests=FILE`, and `dataset=mnist` what would choose it.
    """
    if path in ("", "dataset"):
        return message
    message = re.sub(r"\bdataset\.(?=\w)", f"{path}.", message)
    return re.sub(r"\bdataset=(?=\w)", f"dataset@{path}=", message)


class RunData:
    """The data set, loaded when it is first needed.

    Args:
        config: the data set's.
        device: where its tensors lie.
        seconds: where loading is timed.
    """

    def __init__(self, config: Config, device: torch.device, seconds: Seconds) -> None:
        self.config = config
        self.device = device
        self.seconds = seconds
        self._parts: dict[DataPart, Dataset] = {}
        self._spaced: dict[int, Split] = {}

    @cached_property
    def all(self) -> Dataset:
        """The whole data set."""
        with self.seconds.timed("load", self.config["name"]):
            loader = loader_of(self.config)
            try:
                with seeded(0):  # of a user's own loader, which may draw its split
                    data = loader.build()
            except (ConfigError, DataError) as error:
                raise type(error)(in_place(str(error), self.config.path)) from error
            data = usable(data, self.config["_target_"]) if loader.is_own else data
            return data.to(self.device)

    def part(self, part: DataPart) -> Dataset:
        """What a model is trained on."""
        if part not in self._parts:
            self._parts[part] = PARTS[part](self.all)
        return self._parts[part]

    def test(self, examples: int | None = None) -> Split:
        """The test examples, or so many of them, evenly spaced."""
        test = self.all.test
        if examples is None or examples >= len(test):
            return test
        if examples not in self._spaced:
            self._spaced[examples] = test.take(test.spaced(examples))
        return self._spaced[examples]

    def rows(self, examples: int | None = None) -> Tensor:
        """The places (n,) int64 of `test(examples)` among the test examples."""
        test = self.all.test
        return test.spaced(len(test) if examples is None else examples)

    def refuse_empty(self, wants: str) -> None:
        """Refuse data with nothing to train on.

        Raises:
            ConfigError: there is none; `wants` is the key that would train.
        """
        if len(self.all.train) == 0:
            raise ConfigError(
                f"{wants}: dataset={self.all.name} has nothing to train on; set "
                "dataset.training_share=0.8, or name a model's weights (a state_dict saved with "
                "torch.save)"
            )

    def refuse_other_shape(self) -> None:
        """Refuse images of another shape than the configuration says.

        Raises:
            ConfigError: they have one.
        """
        given, found = self.config.get("input_shape"), list(self.all.input_shape)
        if given is not None and given != found:
            raise ConfigError(
                f"dataset.input_shape={given}: the images are {found}; "
                f"set dataset.input_shape={found}"
            )
