"""A stand-in for a model, a game, an attack or crafted examples of a run."""

from collections.abc import Iterable
from typing import Any

from advx.run.named import Deferred


class Late(Deferred[Any]):
    """Named at once, made when asked for; a failure that was asked for is raised.

    Args:
        key: its name.
        value: what it stands for.
        made: where its name is written down whenever it is made.
        networks: of the store, on whose weights it rests.
    """

    def __init__(
        self,
        key: str,
        value: Any = None,
        made: list[str] | None = None,
        networks: Iterable[str] = (),
    ) -> None:
        self._key, self._value, self._made = key, value, made
        self._networks = frozenset(networks)

    @property
    def key(self) -> str:
        return self._key

    @property
    def networks(self) -> frozenset[str]:
        return self._networks

    @property
    def value(self) -> Any:
        if self._made is not None:
            self._made.append(self._key)
        if isinstance(self._value, Exception):
            raise self._value
        return self._value
