"""A sweep's jobs, before Hydra has made any of them.

Hydra composes a sweep's own configuration (its folder, its launcher) without the keys that are
swept. That fails for `attack=pgd,multi_targeted attack.steps=3`, since the default attack has no
steps, and for `experiment=a,b`, since there is no default experiment. Here it is composed from the
words of the first job; `WholeSweep` puts the sweep back before the jobs are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict


@dataclass(frozen=True)
class Sweep:
    """What a sweep's command line makes: every job's words, from those that are not Hydra's own."""

    jobs: list[list[str]]
    words: list[str]
    hydra: list[str]
    swept: tuple[int, ...]
    """Positions, in a job's words, of what varies."""

    def varying(self, job: Sequence[str]) -> str:
        """The words of a job that tell it from the others."""
        return " ".join(job[at] for at in self.swept)

    def each_choice_once(self) -> list[list[str]]:
        """The first job and those that differ from it in one choice: every choice is met once."""
        first = self.jobs[0]
        return [
            job
            for job in self.jobs
            if sum(word != other for word, other in zip(job, first, strict=True)) <= 1
        ]


def sweep_of(overrides: list[str]) -> Sweep | None:
    """The jobs of Hydra's own sweeper; None where another sweeper makes them as it goes."""
    loader = ConfigLoaderImpl(create_automatic_config_search_path(None, None, "pkg://advx.conf"))
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(overrides)
    if any(each.get_key_element().lstrip("+") == "hydra/sweeper" for each in parsed):
        return None
    own = [each for each in parsed if not each.is_hydra_override()]
    if any(each.is_sweep_override() and not each.is_discrete_sweep() for each in own):
        return None  # an interval, say: Hydra tells what its sweeper can do
    jobs = [job for batch in BasicSweeper.split_arguments(own, None) for job in batch]
    places = {each.get_key_element(): None for each in own}
    swept = {each.get_key_element() for each in own if each.is_sweep_override()}
    return Sweep(
        jobs,
        [str(each.input_line) for each in own],
        [str(each.input_line) for each in parsed if each.is_hydra_override()],
        tuple(at for at, place in enumerate(places) if place in swept),
    )


class WholeSweep(Callback):
    """Hands Hydra's sweeper the words of the whole sweep in place of the first job's."""

    words: ClassVar[list[str]] = []
    """What is swept; set before Hydra starts, read once in the same process."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Called when the sweep's own configuration is composed, before its sweeper is made."""
        with open_dict(config.hydra.overrides):
            config.hydra.overrides.task = list(self.words)
