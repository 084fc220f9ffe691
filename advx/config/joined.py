"""Changes of a configuration from several places, as one."""

from collections.abc import Mapping
from typing import Any

from advx.errors import ConfigError


def joined(one: Mapping[str, Any], other: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Both together, level by level.

    Raises:
        ConfigError: they differ in a value; `path` begins the message.
    """
    both = dict(one)
    for key, value in other.items():
        here = f"{path}{key}"
        if key not in both or both[key] == value:
            both[key] = value
        elif isinstance(value, dict) and isinstance(both[key], dict):
            both[key] = joined(both[key], value, f"{here}.")
        else:
            raise ConfigError(
                f"{here}: one change sets {both[key]}, another {value}; valid: changes of "
                "different things"
            )
    return both
