"""Compose a configuration beside the one that runs: for checks, for tests and for the doctor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from advx.config import moved
from advx.config.documents import Composed
from advx.config.fresh import compile_own_sources
from advx.config.places import refuse_plain_values
from advx.config.scales import read_scales
from advx.errors import ConfigError, reason


def composed(overrides: list[str]) -> tuple[Composed, Any]:
    """The resolved configuration that these overrides make, and the experiment's `main`."""
    values = resolved(overrides)
    return values, main_of(values, overrides)


def main_of(values: Composed, overrides: Sequence[str]) -> Any:
    """The function that an experiment's `main` names.

    Args:
        values: the resolved configuration.
        overrides: what made it, for messages.

    Raises:
        ConfigError: there is none, or its module cannot be imported.
    """
    words = [word for word in overrides if word.startswith("experiment=")]
    chosen = words[-1] if words else "experiment"
    needed = f"{chosen} needs one such as main: advx.experiments.transfer.main"
    if not isinstance(values["experiment"], str):  # the file's keys stand below `experiment`
        raise ConfigError(f"{chosen}: its file must begin with # @package _global_")
    name = values.get("main")
    if name is None:
        raise ConfigError(f"main: not given; {needed}")
    if values.get("title") is None:  # or it is missed at the end, when all is measured
        raise ConfigError(f"title: not given; {chosen} needs one")
    compile_own_sources()
    try:
        main = get_object(name) if isinstance(name, str) else None
    except (Exception, SystemExit) as error:  # whatever importing a user's own module raises
        because = reason(error.__cause__ or error)
        raise ConfigError(f"main={name}: cannot be imported ({because}); {needed}") from error
    if not callable(main):
        raise ConfigError(f"main={name}: no function; {needed}")
    return main


def resolved(overrides: list[str]) -> Composed:
    """The resolved configuration that these overrides make; nothing that it names is imported.

    Inside a run it is composed from the run's own search path (`--config-dir`,
    `hydra.searchpath`), and Hydra's state is left as it was.
    """
    with _hydra() as searchpath:
        words = [*searchpath, *moved.typed(overrides)]
        config = compose("config", words, return_hydra_config=True)
        refuse_plain_values(config, config.hydra.runtime.choices)
        with _resolvable(config):
            own = [str(key) for key in config if key != "hydra"]
            values: Any = OmegaConf.to_container(OmegaConf.masked_copy(config, own), resolve=True)
    moved.put_right(values)
    return values


@contextmanager
def _hydra() -> Iterator[list[str]]:
    """Hydra, the running one or one of our own; yields the run's words on `hydra.searchpath`."""
    if not GlobalHydra.instance().is_initialized():
        read_scales()
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
