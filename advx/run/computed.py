"""Results between the trained models and the numbers, such as generated images."""

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from advx.run.named import Deferred, content_of, made

T = TypeVar("T")


class Computed(Deferred[T], Generic[T]):
    """What a measurement returns, for other measurements: computed once it is needed, never stored.

        images = Computed(generated_examples, run.game(game, seed), 10_000)
        run.measure(image_quality, classifier, layer, run.data, images)

    Its key is that of the measurement with every argument; so what is measured of it is stored
    under all that it depends on.

    Args:
        function: a measurement, see `advx.evaluation.measurement`.
        positional, keywords: its arguments, as `Run.measure` takes them.
    """

    def __init__(self, function: Callable[..., T], *positional: Any, **keywords: Any) -> None:
        self._function = function
        self._arguments = inspect.signature(function).bind(*positional, **keywords).arguments

    @cached_property
    def key(self) -> Any:
        return content_of(self._function, self._arguments)

    @cached_property
    def value(self) -> T:
        return self._function(**{key: made(each) for key, each in self._arguments.items()})
