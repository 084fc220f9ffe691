"""Make what a configuration node names. The only place that calls Hydra's `instantiate`."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from advx.errors import FULL, AdvxError, ConfigError

DESCRIPTIVE = ("name", "weights", "trained_on")
"""Keys of a model node that describe it and are not arguments of its constructor."""


def plain(node: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """A node as a plain, resolved dictionary."""
    if isinstance(node, DictConfig):
        return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]
    return dict(node)


def arguments(node: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """The node's constructor arguments: everything but `_target_` and the descriptive keys."""
    return {k: v for k, v in plain(node).items() if k not in (*DESCRIPTIVE, "_target_")}


def target(node: DictConfig | dict[str, Any]) -> Any:
    """The class or function that a node's `_target_` names."""
    return get_object(plain(node)["_target_"])


def build(node: DictConfig | dict[str, Any], **extra: Any) -> Any:
    """Instantiate a node; `extra` arguments win over the node's own.

    Raises:
        AdvxError, or OSError of a full disk: what the target itself raised, without Hydra's
            wrapping.
        ConfigError: the target refused its arguments.
    """
    name = plain(node)["_target_"]
    try:
        return instantiate({"_target_": name} | arguments(node), **extra, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        full = isinstance(cause, OSError) and cause.errno in FULL
        if cause is not None and (full or isinstance(cause, AdvxError)):
            raise cause from None
        if isinstance(cause, TypeError | ValueError):
            raise ConfigError(f"{name}: {cause}") from error
        raise
