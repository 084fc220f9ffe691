"""`advx run`: Hydra composes the configuration, then the experiment's `main` runs on it.

Imported only when work starts, since it brings in torch.
"""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from advx.config import moved
from advx.config.check import keywords
from advx.config.compose import main_of
from advx.config.documents import Composed
from advx.config.messages import one_line, unreadable
from advx.config.places import refuse_plain_values
from advx.config.plain import check_plain
from advx.config.quoting import readable, words
from advx.config.renamed import groups, old_choices
from advx.config.scales import read_scales, unused
from advx.config.search_path import config_folder, search_path
from advx.config.sweep import Sweep, WholeSweep, sweep_of
from advx.errors import ConfigError, Diverged, JobFailed, NetworkChanged, reason
from advx.run_folder import claim, clear, release
from advx.termination import undisturbed
from advx.text_files import never_fail_to_print, stop_printing, write_text

if TYPE_CHECKING:
    from advx.run import Run

log = logging.getLogger(__name__)

WHOLE_SWEEP = "+hydra.callbacks.whole_sweep._target_=advx.config.sweep.WholeSweep"
"""Has Hydra make the jobs of the whole sweep, though it is given the first one's words."""

LOGS = ("hydra.verbose", "hydra.job_logging", "hydra.hydra_logging", "hydra/")
"""How the settings begin by which Hydra sets up logs: it checks them when it does."""

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
"""What Hydra's `--info` can be asked for."""

ACTIONS = {"-r": "run", "--run": "run", "-m": "multirun", "--multirun": "multirun", "-c": "cfg",
           "--cfg": "cfg", "--info": "info", "-sc": "completion",
           "--shell-completion": "completion"}  # fmt: skip
"""Flags that say what Hydra is to do, which can be one thing only."""


def launch(arguments: list[str]) -> None:
    """Run `hydra.main` with these command-line arguments; errors are raised, not printed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"
    logging.raiseExceptions = False  # a log that a full disk does not take is no traceback
    logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # it logs what it also raises
    sys.path.insert(0, os.getcwd())
    read_scales()
    flags, overrides = flags_and_overrides(arguments)
    flags += completed_folder(flags)
    for word in overrides:
        key, equals, _ = word.partition("=")
        if not key or not (equals or word.startswith("~")):
            raise ConfigError(f"{word}: not key=value, e.g. experiment=transfer_table")
    try:
        _launch(flags, overrides)
    except (UnicodeDecodeError, YAMLError) as error:
        line = unreadable(error, config_folder(flags), overrides)
        if line is None:
            raise
        raise ConfigError(line) from error


def _launch(flags: list[str], overrides: list[str]) -> None:
    """Check a sweep, then hand Hydra the words."""
    refuse_two_actions(flags)
    several = bool({"-m", "--multirun"} & set(flags)) or "hydra.mode=MULTIRUN" in overrides
    given = readable(overrides, sweep=several)
    for word, today in zip(given, groups(given), strict=True):
        if word != today:
            print(f"advx: {word} has a new name: {today}", file=sys.stderr)
    overrides = moved.typed(given)
    if several:
        sweep = sweep_of(overrides)
        if sweep is not None:
            check_sweep(sweep, search_path(config_folder(flags), overrides))
            overrides = [*sweep.jobs[0], *sweep.hydra, WHOLE_SWEEP]
            WholeSweep.words = sweep.words
    sys.argv = ["advx", *flags, *overrides]
    try:
        hydra.main(version_base="1.3", config_path="pkg://advx.conf", config_name="config")(task)()
    except (AssertionError, TypeError, ValueError) as error:
        named = [word for word in overrides if word.lstrip("+~").startswith(LOGS)]
        frames = traceback.walk_tb(error.__traceback__)
        if not named or all(frame.f_code is not configure_log.__code__ for frame, _ in frames):
            raise
        why = reason(error.__cause__ or error)
        if isinstance(error, AssertionError):  # which says nothing
            why = "hydra.verbose takes true, false or the names of loggers"
        raise ConfigError(f"{words(named)}: Hydra does not take it ({why})") from error
    finally:
        release()


def task(config: DictConfig) -> None:
    """Check the configuration, then run the experiment it names."""
    never_fail_to_print()
    sys.path.insert(0, os.getcwd())
    job = HydraConfig.get()
    folder = Path(os.path.relpath(job.runtime.output_dir))
    claim(folder)
    own_results = False
    try:
        refuse_plain_values(config, job.runtime.choices)
        values: Composed = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
        for remark in [*old_choices(job.runtime.choices), *moved.put_right(values)]:
            log.warning("%s", remark)
        check_plain(values)
        shadowed = unused(job.runtime)
        if shadowed:
            log.warning(shadowed)
        from advx.run import Run, check, check_models  # with torch, which takes seconds to import

        main = main_of(values, job.overrides.task)
        check(values, main, job.runtime.choices)
        made_again: set[str] = set()
        while True:
            run = Run(values, folder, "advx run " + words(job.overrides.task))
            check_models(run)
            clear(folder)
            own_results = True
            try:
                finish(run, main, keywords(values, main))
                break
            except NetworkChanged as error:
                if error.key in made_again:  # somebody else is at it too
                    raise
                made_again.add(error.key)
                log.warning(
                    "network %s was trained again, and has other weights than those that numbers "
                    "in the store are of: the run begins again",
                    error.key,
                )
    except BaseException as error:
        with undisturbed(), suppress(OSError):
            note_failure(folder, own_results)
        line = one_line(error, job.overrides.task)
        if job.mode is RunMode.MULTIRUN and isinstance(error, Exception):
            failure = f"job {job.job.num} ({words(job.overrides.task)}): {line or reason(error)}"
            log.error(
                "failed: %s", failure
            )  # the others go on, and Hydra raises the first one's only
            if line is not None and not wants_traceback(job.overrides.hydra):
                raise JobFailed(failure) from error
        if line is None or job.mode is RunMode.MULTIRUN or wants_traceback(job.overrides.hydra):
            raise
        print(f"advx: {line}", file=sys.stderr)  # here, or Hydra would print a line of its own too
        sys.exit(2)
    finally:
        if job.mode is RunMode.MULTIRUN:
            release(folder)


def finish(run: "Run", main: Callable[..., None], arguments: dict[str, Any]) -> None:
    """Run an experiment to its end; where it fails, what was measured is written first.

    Raises:
        Diverged: no number of the run is defined. Its files are written all the same.
    """
    try:
        main(run, **arguments)
    except BrokenPipeError:  # whoever reads the table has seen enough
        if not (run.folder / "summary.md").exists():  # the last file that a run writes
            raise
        stop_printing()
    except Exception as error:
        run.rescue(error)
        raise
    if run.undefined():
        raise Diverged(
            f"{run.folder}: no number of this run is defined: trainings diverged, or models give "
            "NaN (see run.log); a smaller trainer.learning_rate is the usual cure"
        )


def note_failure(folder: Path, own_results: bool) -> None:
    """Write `FAILED`: the exception that is being handled, and whether results there are older."""
    older = not own_results and (folder / "results.csv").exists()
    remark = "This run was refused; the results beside this file are an earlier run's.\n\n"
    write_text(folder / "FAILED", (remark if older else "") + traceback.format_exc())


def wants_traceback(overrides: Iterable[str]) -> bool:
    """Whether the user asked for more than one line."""
    return os.environ.get("ADVX_TRACEBACK") == "1" or "hydra.verbose=true" in overrides


def check_sweep(sweep: Sweep, searchpath: list[str]) -> None:
    """Check a sweep's jobs before the first one trains anything.

    Raises:
        ConfigError: the first job that cannot run, and which choice it is.
    """
    from advx.config.compose import composed
    from advx.run import check

    for job in sweep.each_choice_once():
        try:
            check(*composed([*searchpath, *job]))
        except Exception as error:
            line = one_line(error, [*searchpath, *job])
            if line is None:
                raise
            choice = sweep.varying(job)
            raise ConfigError(f"{line} (the job with {choice})" if choice else line) from error


def refuse_two_actions(flags: list[str]) -> None:
    """Refuse flags of which each says what Hydra is to do.

    Raises:
        ConfigError: there are two.
    """
    asked = [flag for flag in flags if flag.partition("=")[0] in ACTIONS]
    if len({ACTIONS[flag.partition("=")[0]] for flag in asked}) > 1:
        raise ConfigError(f"{' '.join(asked)}: not together; valid: one of them")


def completed_folder(flags: list[str]) -> list[str]:
    """For a shell's completion: the `--config-dir` of the line that is completed."""
    folder = config_folder(os.environ.get("COMP_LINE", "").split())
    asked = bool({"-sc", "--shell-completion"} & set(flags)) and config_folder(flags) is None
    return ["--config-dir", folder] if asked and folder and Path(folder).is_dir() else []


def flags_and_overrides(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Flags (with their values) and overrides apart: Hydra takes overrides on one side only."""
    with_value = {
        "--cfg",
        "-c",
        "--package",
        "-p",
        "--config-path",
        "-cp",
        "--config-name",
        "-cn",
        "--config-dir",
        "-cd",
        "--experimental-rerun",
    }
    flags, overrides = [], []
    words = iter(arguments)
    for word in words:
        if word in with_value:
            flags += [word, next(words, "")]
        elif word in ("--info", "-i"):  # its value may be left out
            flags.append("--info=all")
        elif word in INFO and flags[-1:] == ["--info=all"]:
            flags[-1] = f"--info={word}"
        elif word.startswith("-"):
            flags.append(word)
        else:
            overrides.append(word)
    return flags, overrides
