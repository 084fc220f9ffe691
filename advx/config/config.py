"""What builds one thing: a class or function by name, and its arguments."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import CoreSchema, core_schema

from advx.config.build import arguments, build, plain, target


class Config(Mapping[str, Any]):
    """A part of the configuration with a `_target_`: a model's, an attack's, a trainer's.

    It never changes; `with_` makes another one. As a mapping it holds its keys as they are
    written in YAML.

    Args:
        node: the keys, `_target_` among them.
        path: where it stands in the whole configuration ("models.maxout"), for messages.
    """

    def __init__(self, node: Mapping[str, Any], path: str = "") -> None:
        self._node = plain(node)
        self.path = path or getattr(node, "path", "")

    def __getitem__(self, key: str) -> Any:
        return self._node[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._node)

    def __len__(self) -> int:
        return len(self._node)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._node == dict(other)

    def __hash__(self) -> int:
        return hash(json.dumps(self._node, sort_keys=True, default=str))

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in self.arguments.items())
        return f"Config({self['_target_']}: {given})"

    @property
    def target(self) -> Any:
        """The class or function itself, imported."""
        return target(self._node)

    @property
    def target_name(self) -> str:
        """The last part of its dotted name: `FGSM`."""
        return str(self["_target_"]).rpartition(".")[2]

    @property
    def name(self) -> str:
        """What it is called in rows and messages: its `name`, or its path."""
        return str(self.get("name") or self.path or self.target_name)

    @property
    def is_own(self) -> bool:
        """Whether it is a user's own, or a library's: none of advx's."""
        return str(self["_target_"]).partition(".")[0] != "advx"

    @property
    def arguments(self) -> dict[str, Any]:
        """What the call is given."""
        return arguments(self._node)

    def with_(self, **changes: Any) -> "Config":
        """The same with other arguments: `attack.with_(epsilon=0.1)`."""
        return Config(self._node | changes, self.path)

    def build(self, **extra: Any) -> Any:
        """The thing itself; `extra` arguments win over its own.

        Raises:
            ConfigError: the target refused its arguments.
        """
        return build(self._node, **extra)

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        """Lets a parameter of an experiment's `main` be annotated as one."""
        return core_schema.no_info_plain_validator_function(cls._validated)

    @classmethod
    def _validated(cls, value: Any) -> "Config":
        if not isinstance(value, Mapping) or "_target_" not in value:
            raise ValueError("a configuration with a `_target_` is needed")
        return cls(value)

    def plain(self) -> dict[str, Any]:
        """The keys as a dictionary of one's own, for JSON."""
        return dict(self._node)


def with_configs(values: Any, path: str = "") -> Any:
    """`values` with a `Config` in place of every outermost dictionary that has a `_target_`."""
    if isinstance(values, Mapping):
        if "_target_" in values:
            return Config(values, path)
        return {
            key: with_configs(value, f"{path}.{key}" if path else str(key))
            for key, value in values.items()
        }
    if isinstance(values, list):
        return [with_configs(value, f"{path}.{i}") for i, value in enumerate(values)]
    return values
