"""What the experiments' YAML files say to `advx reproduce`, without composing them.

An experiment's block `reproduce:` is read here and nowhere else (`advx/config/scales.py` takes it
out of the configuration). It may say:

    tool: true             # measures what its user names: run only where --only names it
    alone: true            # measures time: no other experiment runs beside it
    packages: [foolbox]    # all needed; where one is missing the experiment is skipped
    without_cuda:          # words that replace its own at a scale, on a machine without CUDA
      chapter: [model=conv_maxout_small]
"""

import importlib.util
import re
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

READER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML was built with libyaml."""

NUMBERED = re.compile(r"\b(Table|Figures?) \d")
"""In the title of an experiment: it is a numbered table or figure of the chapter."""


@dataclass(frozen=True)
class Experiment:
    """An experiment as `advx reproduce` sees it.

    Attributes:
        name: as in `experiment=NAME`.
        title: in words.
        main: the function that it names.
        claims: how many it tests.
        tool, alone, packages, without_cuda: its block `reproduce:`.
    """

    name: str
    title: str
    main: str
    claims: int
    tool: bool = False
    alone: bool = False
    packages: tuple[str, ...] = ()
    without_cuda: dict[str, list[str]] = field(default_factory=dict)

    @property
    def numbered(self) -> bool:
        """Whether it is a numbered table or figure of the chapter."""
        return bool(NUMBERED.search(self.title))

    def missing(self) -> str:
        """The first package that it needs and that is not installed; nothing where all are."""
        absent = (name for name in self.packages if importlib.util.find_spec(name) is None)
        return next(absent, "")


def listed() -> dict[str, Experiment]:
    """All experiments of advx, by name."""
    folder = files("advx.conf") / "experiment"
    found = [_read(file) for file in folder.iterdir() if file.name.endswith(".yaml")]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def _read(file: Traversable) -> Experiment:
    content = yaml.load(file.read_text("utf-8"), Loader=READER)
    return Experiment(
        name=file.name.removesuffix(".yaml"),
        title=content["title"],
        main=content["main"],
        claims=len(content.get("claims") or []),
        **content.get("reproduce") or {},
    )
