"""Compose a configuration outside a run: for checks, for tests and for the doctor."""

from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_method
from omegaconf import OmegaConf


def composed(overrides: list[str]) -> tuple[dict[str, Any], Any]:
    """The resolved configuration that these overrides make, and the experiment's `main`."""
    values = resolved(overrides)
    return values, get_method(values["main"])


def resolved(overrides: list[str]) -> dict[str, Any]:
    """The resolved configuration that these overrides make; nothing that it names is imported."""
    with initialize_config_module("advx.conf", version_base="1.3"):
        config = compose("config", overrides, return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        own = [str(key) for key in config if key != "hydra"]
        values: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, own), resolve=True)
    return values
