"""An experiment's sizes: what `scales:` in its YAML file sets at each scale.

For Hydra they are files: `scales.smoke` in `experiment/NAME.yaml` is the configuration
`at/NAME/smoke`, which the primary defaults list (`conf/config.yaml`) names last. So the values of a
scale win over those of the experiment, the command line wins over both, and a block may begin with
a defaults list. `scales` itself is no key of the composed configuration.

This is done where Hydra reads a folder or a package. Hence it holds for every place on the search
path, in sweeps, for `--cfg`, `--info` and shell completion, and no other experiment's file is read.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, ClassVar

from hydra._internal.core_plugins import file_config_source, importlib_resources_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.conf import RuntimeConf
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from advx.config import renamed
from advx.config.documents import Node
from advx.errors import ConfigError, nearest

GROUP = "at"
"""The group of sizes: `at/EXPERIMENT/SCALE`."""


def read_scales() -> None:
    """Have Hydra read `scales:` in the experiments of every place on its search path."""
    for source in (FileConfigSource, ImportlibResourcesConfigSource):
        SourcesRegistry.instance().types[source.scheme()] = source


class ScalesSource(ConfigSource):
    """A place on the search path: what lies there, and the sizes in the experiments there.

    Sizes are there as soon as their experiment was loaded from here: of two experiments of one name
    Hydra loads the first on its search path, and the other one's sizes must not be taken for them.
    A file `at/EXPERIMENT/SCALE.yaml` wins over the experiment's own block.
    """

    kind: ClassVar[type[ConfigSource]]
    """Reads the files themselves."""

    def __init__(self, provider: str, path: str) -> None:
        self.files = self.kind(provider, path)
        self.provider, self.path = self.files.provider, self.files.path
        self.sizes: dict[str, Node] = {}
        """What `at/EXPERIMENT/SCALE` sets, for the experiments that were loaded from here."""

    def load_config(self, config_path: str) -> ConfigResult:
        """A file's configuration, or that of a block.

        Raises:
            ConfigError: what an experiment's `scales` holds is not sizes, or of no scale.
        """
        if not self.files.is_config(config_path) and config_path in self.sizes:
            block = OmegaConf.create(self.sizes[config_path])
            return ConfigResult(self.provider, self.full_path(), block, {"package": "_global_"})
        loaded = self.files.load_config(self._today(config_path))
        group, _, name = config_path.partition("/")
        if group == "experiment" and isinstance(loaded.config, DictConfig):
            own = self.list("scale", ObjectType.CONFIG)
            blocks = checked(loaded.config.pop("scales", None), name, own)
            loaded.config.pop("reproduce", None)  # advx/reproduce/experiments.py reads it
            self.sizes |= {f"{GROUP}/{name}/{scale}": block for scale, block in blocks.items()}
        return loaded

    def is_config(self, config_path: str) -> bool:
        """Whether a file or a block has this name."""
        return config_path in self.sizes or self.files.is_config(self._today(config_path))

    def _today(self, config_path: str) -> str:
        """A file's name; that of today for a name of before that no file has."""
        there = self.files.is_config(config_path)
        return config_path if there else renamed.choice(config_path)

    def is_group(self, config_path: str) -> bool:
        """Whether a folder has this name; where experiments are, `at` is a group (for `~at`)."""
        named = "experiment" if config_path == GROUP else config_path
        today = {named, config_path, *renamed.folders(config_path)}
        return any(map(self.files.is_group, today))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """What lies in a folder; nothing where there is none."""
        there = self.files.is_group(config_path)
        return self.files.list(config_path, results_filter) if there else []

    def available(self) -> bool:
        """Whether there is such a place."""
        return self.files.available()


class FileConfigSource(ScalesSource):
    """A folder: one that `--config-dir` or `hydra.searchpath` names.

    It has the name of Hydra's own, which Hydra then does not put in its place: the processes of a
    parallel sweep get these sources first and look for plugins afterward.
    """

    kind = file_config_source.FileConfigSource

    @staticmethod
    def scheme() -> str:
        """How its path begins."""
        return file_config_source.FileConfigSource.scheme()


class ImportlibResourcesConfigSource(ScalesSource):
    """A package's folder: `pkg://advx.conf`, say. Its name is Hydra's, as above."""

    kind = importlib_resources_config_source.ImportlibResourcesConfigSource

    @staticmethod
    def scheme() -> str:
        """How its path begins."""
        return importlib_resources_config_source.ImportlibResourcesConfigSource.scheme()


def checked(scales: object, experiment: str, own: Iterable[str]) -> dict[str, Node]:
    """The blocks of an experiment's `scales`, by scale.

    Args:
        scales: what the file holds; None for nothing.
        experiment: its name, for messages.
        own: names of files for scales beside the experiment, besides those of advx.

    Raises:
        ConfigError: it is no mapping of scales to sizes, or names a scale that there is not.
    """
    if scales is None:
        return {}
    blocks: Any = OmegaConf.to_container(scales) if OmegaConf.is_config(scales) else scales
    if not isinstance(blocks, Mapping):
        raise ConfigError(
            f"experiment={experiment}: scales={blocks}: sizes by scale are needed, "
            "e.g. scales: {smoke: {seeds: [0]}}"
        )
    shipped = (file.name for file in (files("advx.conf") / "scale").iterdir())
    known = {name.removesuffix(".yaml") for name in shipped if name.endswith(".yaml")} | {*own}
    for scale, block in blocks.items():
        where = f"experiment={experiment}: scales.{scale}"
        if scale not in known:
            raise ConfigError(
                f"{where}: no such scale; {nearest(str(scale), known)} "
                f"(a scale of your own is a file scale/{scale}.yaml beside experiment/)"
            )
        if not isinstance(block, Mapping | None):
            raise ConfigError(
                f"{where}={block}: keys and values are needed, e.g. {scale}: {{seeds: [0]}}"
            )
        for entry in (block or {}).get("defaults") or []:
            name = next(iter(entry), "") if isinstance(entry, Mapping) else entry
            if "override" in str(name).split()[:-1]:  # Hydra knows its choices before the sizes
                raise ConfigError(
                    f"{where}.defaults: {entry}: no override is possible here; the experiment's "
                    "own defaults can choose by scale: override /dataset: my_data/${scale}"
                )
    return {scale: dict(block or {}) for scale, block in blocks.items()}


def unused(runtime: RuntimeConf) -> str | None:
    """That a file with the chosen experiment's name is not it, since another comes before it.

    Args:
        runtime: `hydra.runtime` of a composed configuration.
    """
    name, registry = runtime.choices.get("experiment"), SourcesRegistry.instance()
    places = [
        registry.resolve(each.schema)(each.provider, f"{each.schema}://{each.path}")
        for each in runtime.config_sources
    ]
    found = [place for place in places if place.is_config(f"experiment/{name}")]
    if len(found) < 2:
        return None
    return (
        f"experiment={name}: {found[1].path}/experiment/{name}.yaml is not used, since "
        f"{found[0].full_path()} has an experiment of that name: give yours another"
    )
