"""A stand-in for a model, a game, an attack or crafted examples of a run."""

from typing import Any

from advx.run.named import Deferred


class Late(Deferred[Any]):
    """Named at once, made when asked for; a failure that was asked for is raised.

    Args:
        key: its name.
        value: what it stands for.
        made: where its name is written down whenever it is made.
    """

    def __init__(self, key: str, value: Any = None, made: list[str] | None = None) -> None:
        self._key, self._value, self._made = key, value, made

    @property
    def key(self) -> str:
        return self._key

    @property
    def value(self) -> Any:
        if self._made is not None:
            self._made.append(self._key)
        if isinstance(self._value, Exception):
            raise self._value
        return self._value
