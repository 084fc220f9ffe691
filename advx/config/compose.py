"""Compose a configuration beside the one that runs: for checks, for tests and for the doctor."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf


def composed(overrides: list[str]) -> tuple[dict[str, Any], Any]:
    """The resolved configuration that these overrides make, and the experiment's `main`."""
    values = resolved(overrides)
    return values, get_method(values["main"])


def resolved(overrides: list[str]) -> dict[str, Any]:
    """The resolved configuration that these overrides make; nothing that it names is imported.

    Inside a run it is composed from the run's own search path (`--config-dir`,
    `hydra.searchpath`), and Hydra's state is left as it was.
    """
    with _hydra() as searchpath:
        config = compose("config", [*searchpath, *overrides], return_hydra_config=True)
        with _resolvable(config):
            own = [str(key) for key in config if key != "hydra"]
            values: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, own), resolve=True)
    return values


@contextmanager
def _hydra() -> Iterator[list[str]]:
    """Hydra, the running one or one of our own; yields the run's words on `hydra.searchpath`."""
    if not GlobalHydra.instance().is_initialized():
        with initialize_config_module("advx.conf", version_base="1.3"):
            yield []
        return
    given = HydraConfig.get().overrides.hydra if HydraConfig.initialized() else []
    yield [word for word in given if word.lstrip("+").startswith("hydra.searchpath=")]


@contextmanager
def _resolvable(config: DictConfig) -> Iterator[None]:
    """`${hydra:…}` means this configuration's, for a while."""
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.set_config(config)
    try:
        yield
    finally:
        instance.cfg = before
