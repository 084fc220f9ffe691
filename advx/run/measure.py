"""Measurements taken once: from the store under a key of all that they depend on, or now."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from advx.errors import ConfigError, Diverged
from advx.notes import Note, noting
from advx.run.named import content_of, made, networks_of
from advx.run.notices import Remarks
from advx.store.measurements import Stored
from advx.store.store import Store
from advx.store.values import packed, returned_by, undefined, unpacked

log = logging.getLogger(__name__)
Value = TypeVar("Value")

EVALUATION_VERSION = 4
"""Raised by hand when a fix changes the gradients that attacks follow, or what all measurements
rest on: every stored value is then measured again. A single one has its own version."""


class Measurements:
    """Takes measurements, each once.

    Args:
        store: where values are kept.
        remarks: where examples that a measurement left out are said.
    """

    def __init__(self, store: Store, remarks: Remarks) -> None:
        self.store = store
        self.remarks = remarks

    def measure(self, function: Callable[..., Value], *positional: Any, **keywords: Any) -> Value:
        """The value of a measurement.

        Args:
            function: a measurement, see `advx.evaluation.measurement`.
            positional, keywords: its arguments; models, games, attacks and crafted examples of the
                run stand for what they make.

        Returns:
            what the function returns; where a model that it needs diverged, what
            `advx.store.values.undefined` makes of its return type, which is not stored.

        Raises:
            ConfigError: it returns what no store holds.
            NetworkChanged: earlier values of the run are of other weights of the same network.
        """
        bound = inspect.signature(function).bind(*positional, **keywords)
        kind = returned_by(function)
        try:
            content = content_of(function, bound.arguments)
            content["evaluation_version"] = EVALUATION_VERSION
            networks = networks_of(bound.arguments)
            stored = self._still_true(self.store.value(content, kind), networks)
            if stored is None:
                with noting() as notes:
                    value = function(**{key: made(each) for key, each in bound.arguments.items()})
                parts = _storable(value, function)
                digests = {key: self.store.digest(key) or "" for key in networks}
                self.store.save_value(content, value, notes, digests)
                self._rest_on(digests)
                self.remarks.of_examples(notes)
                return unpacked(*parts, kind)  # what a later run will read
            self._rest_on(stored.digests)
        except Diverged as error:
            log.warning("diverged: %s", error)
            return undefined(kind)
        self.remarks.of_examples(Note(*note) for note in stored.notes)
        return stored.value

    def _still_true(self, stored: Stored | None, networks: frozenset[str]) -> Stored | None:
        """A stored value, unless it is of other weights of its networks than those at hand.

        Where there are none at hand, the run's earlier values say which weights they are of.
        """
        if stored is None or set(stored.digests) != networks:
            return None
        at_hand = {key: self.store.digest(key) for key in networks}
        return stored if all(stored.digests[k] == d for k, d in at_hand.items() if d) else None

    def _rest_on(self, digests: Mapping[str, str]) -> None:
        """Note the weights that a value was measured on."""
        for key, digest in digests.items():
            if digest:
                self.store.rest_on(key, digest)


def _storable(value: Any, function: Callable[..., Any]) -> tuple[Any, list[np.ndarray]]:
    """A value in the parts that the store keeps.

    Raises:
        ConfigError: it holds something else than they may.
    """
    try:
        return packed(value)
    except TypeError as error:
        raise ConfigError(
            f"{function.__module__}.{function.__name__}: {error}; valid: a number, a text, an "
            "array, a dataclass, or lists and dictionaries (with texts as keys) of these"
        ) from error
