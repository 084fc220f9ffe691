"""Where choices stand: below the name of their group, or at the place of `group@place=choice`."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from advx.errors import ConfigError


def refuse_plain_values(config: DictConfig, chosen: Mapping[str, Any]) -> None:
    """Refuse a word or a number at a place of a choice: its group is missing before the place.

    Args:
        config: composed, not resolved.
        chosen: what was chosen, by group and place, as Hydra lists it.

    Raises:
        ConfigError: the first one.
    """
    for group, place in _placed(chosen):
        node: Any = config
        for part in place.split("."):
            inside = isinstance(node, DictConfig)
            node = node._get_node(part, validate_access=False) if inside else None
        if node is None or isinstance(node, DictConfig) or OmegaConf.is_interpolation(node):
            continue
        value = node._value()
        if value is not None:
            raise ConfigError(
                f"{place}={value}: a choice of {group} stands there; "
                f"valid: {group}@{place}={value}; advx list shows the choices"
            )


def other_places(key: str, chosen: Mapping[str, Any], known: Collection[str]) -> str:
    """Where a choice for a key that nobody takes may have been meant; empty if unknown.

    Args:
        key: at the top of the configuration.
        chosen: what was chosen, by group and place, as Hydra lists it.
        known: top-level keys that are taken.
    """
    places = [
        f"{group}@{place}={chosen[key]}"
        for group, place in _placed(chosen)
        if group == key and key in chosen and place.partition(".")[0] in known
    ]
    return " or ".join(places)


def _placed(chosen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Group and place of the choices that name one."""
    for name in chosen:
        group, at, place = name.partition("@")
        if at and not group.startswith("hydra") and not place.startswith("_"):
            yield group, place
