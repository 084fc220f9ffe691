"""The command line as a user meets it: one line for bad input, the same rows after a kill."""

import csv
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
import torchvision

from advx.cli.run import flags_and_overrides, refuse_two_actions
from advx.errors import ConfigError
from tests.own_files import names
from tests.processes import ADVX, advx

SMOKE = ["run", "experiment=transfer_table", "scale=smoke", "seeds=[0]", "protocols=[unclipped]"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("experiment=nonsense", "experiment=nonsense: no such choice"),
        ("model@models.maxout=maxot", "did you mean maxout?"),
        ("attack.epsilom=1", "attack.epsilom=1: no such key; did you mean epsilon?"),
        ("model.relu.units=1", "model.relu.units=1: no such key; did you mean models?"),
        ("=3", "=3: not key=value"),
        ("+attack.epsilom=1", "attack.epsilom=1: no such key; did you mean epsilon?"),
        ("+nonsense=1", "nonsense=1: no such key"),
        ("attack.epsilon=abc", "attack.epsilon=abc: input should be a valid number"),
        ("attack.epsilon=-1", "attack.epsilon=-1: input should be greater than or equal to 0"),
        ("attack.epsilon=nan", "attack.epsilon=nan: input should be a finite number"),
        ("attack.norm=l7", "attack.norm=l7: input should be 'linf' or 'l2'"),
        ("attack.clip=[1,0]", "attack.clip=[1, 0]: the lower bound must be below"),
        ("protocols=[shaken]", "protocols.0=shaken: input should be 'unclipped'"),
        ("attack.targeted=true", "attack.targeted=True: mistakes of any kind are counted"),
        ("attack.objective=training_cost", "smoothed_nearest_neighbor was not trained here"),
        ("seeds=[]", "seeds=[]: empty"),
        ("seeds=[1,1]", "seeds=[1, 1]: each seed once"),
        ("models.relu.input_shape=[1,9,9]", "does not fit dataset=mnist5k"),
        ("dataset=mnist", "download failed"),
        (
            "~dataset",
            "~dataset: models.maxout.input_shape takes its value from dataset.input_shape",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path, override, expected) -> None:
    done = advx(
        tmp_path, *SMOKE, override, ADVX_DATA=str(tmp_path / "none"), ADVX_CACHE=str(tmp_path / "c")
    )
    assert done.returncode == 2, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert expected in line
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/store/models/*/weights.pt"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("defense=distillation defense.temperature=0", "defense.temperature=0: input should be"),
        ("defense=label_smoothing defense.smoothing=1", "defense.smoothing=1: input should be"),
        ("defense=ensemble defense.members=0", "defense.members=0: input should be"),
        ("defense=adversarial_training model@target=nearest_neighbor", "is not trained here"),
        (
            "defense@crafting_defense=ensemble attack.objective=training_cost",
            "Ensemble has no training cost of a single example",
        ),
        ("trainer=semi_supervised", "NoDefense needs every example's label"),
        (
            "trainer=semi_supervised trainer.labeled=7000 defense=virtual_adversarial "
            "defense@crafting_defense=virtual_adversarial",
            "trainer.labeled=7000: mnist5k has 500 training examples",
        ),
    ],
)
def test_bad_defense_is_one_line(tmp_path, words, expected) -> None:
    done = advx(tmp_path, "run", "experiment=transfer", "scale=smoke", *words.split())
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("outputs/store/models/*/weights.pt"))


def test_help_needs_neither_torch_nor_hydra() -> None:
    code = "import sys, advx.cli; sys.exit(bool({'torch', 'hydra'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_flags_may_stand_anywhere() -> None:
    assert flags_and_overrides(["a=1", "-m", "b=1,2", "--cfg", "job"]) == (
        ["-m", "--cfg", "job"],
        ["a=1", "b=1,2"],
    )
    assert flags_and_overrides(["--info", "a=1"]) == (["--info=all"], ["a=1"])
    assert flags_and_overrides(["a=1", "-i", "plugins"]) == (["--info=plugins"], ["a=1"])


@pytest.mark.parametrize(
    "words", [["-m", "--cfg", "job"], ["-c", "job", "--info"], ["--run", "-m"]]
)
def test_hydra_is_told_to_do_one_thing(words) -> None:
    with pytest.raises(ConfigError, match="not together; valid: one of them"):
        refuse_two_actions(flags_and_overrides(["experiment=transfer", *words])[0])
    refuse_two_actions(["-m", "--multirun", "--config-dir", "--cfg"][:3])


YAML = """\
# @package _global_
defaults:
  - /model@crafting: maxout
  - /model@target: relu
  - /attack: fgsm
  - /defense: none
  - /defense@crafting_defense: none
title: Misspelled
main: advx.experiments.transfer.main
figure_examples: 12
attack: {epsilom: 0.1}
"""


def test_a_misspelled_key_in_yaml_is_one_line(tmp_path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "misspelled.yaml").write_text(YAML)
    done = advx(tmp_path, "run", "--config-dir", "mine", "experiment=misspelled")
    assert done.returncode == 2
    assert done.stderr.startswith("advx: attack.epsilom=0.1: no such key; did you mean epsilon?")
    assert len(done.stderr.splitlines()) == 1


NO_FOLDERS = [("null", "None"), ("5", "5"), ("[a]", "['a']"), ("", "")]
"""What no store can be, and how it is named."""


def test_unwritable_folders_and_absent_devices_are_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for override, expected in (
        ("hydra.run.dir=file/out", "name a writable folder with hydra.run.dir"),
        ("store=file/store", "store=file/store: cannot be written"),
        *((f"store={wrong}", f"store={seen}: a folder is needed") for wrong, seen in NO_FOLDERS),
        ("device=cuda", "device=cuda: no CUDA device on this machine"),
    ):
        if override == "device=cuda" and torch.cuda.is_available():
            continue
        done = advx(tmp_path, *SMOKE, override)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert expected in done.stderr


HYDRA = [
    ("hydra.verbose=5", "hydra.verbose takes true, false or the names of loggers"),
    ("hydra.verbose=[5]", "(A logger name must be a string)"),
    ("hydra.job_logging.root.level=LOUD", "Unknown level: 'LOUD'"),
    ("hydra.mode=both", "expected one of [RUN, MULTIRUN]"),
    ("hydra.job.chdir=perhaps", "is not a valid bool"),
]
"""What Hydra's own settings cannot be, and what is said of it."""


BLAMED = [
    (["trainer=null", "hydra.run.dir=x"], "trainer=null: no such choice; valid: "),
    (["dataset=5", "hydra.run.dir=x"], "dataset=5: no such choice; "),
]


@pytest.mark.parametrize(("given", "expected"), BLAMED)
def test_what_is_wrong_is_named_and_no_setting_of_hydras(given, expected, tmp_path) -> None:
    done = advx(tmp_path, *SMOKE, *given)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"advx: {expected}")


def test_a_sweeps_wrong_setting_of_hydras_is_named_alone(tmp_path) -> None:
    words = ["-m", "seeds=[0],[1]", "hydra.sweep.dir=sw", "hydra.verbose=5"]
    done = advx(tmp_path, *SMOKE, *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("advx: hydra.verbose=5: Hydra does not take it")


def test_a_file_that_is_no_utf8_is_named_whatever_hydras_settings(tmp_path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "latin.yaml").write_bytes("title: é".encode("latin-1"))
    words = ["--config-dir", "mine", "experiment=latin", "hydra.run.dir=x", "hydra.verbose=[a]"]
    done = advx(tmp_path, "run", *words)
    assert done.returncode == 2
    assert "latin.yaml: not UTF-8" in done.stderr


@pytest.mark.parametrize(("override", "expected"), HYDRA)
def test_settings_that_hydra_does_not_take_are_one_line(override, expected, tmp_path) -> None:
    done = advx(tmp_path, *SMOKE, override)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith(f"advx: {override}: ")
    assert expected in done.stderr


def test_damaged_data_files_are_one_line(tmp_path) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for resource, _ in torchvision.datasets.MNIST.resources:
        (raw / resource).write_bytes(b"cut short")
    done = advx(tmp_path, "run", "experiment=transfer_table", "scale=chapter", ADVX_DATA="data")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "train-images-idx3-ubyte.gz has MD5" in done.stderr
    assert "dataset.digests=FILE" in done.stderr


def test_a_sweep_is_checked_before_its_first_job_trains(tmp_path) -> None:
    sweep = ["run", "-m", "experiment=transfer", "scale=smoke"]
    for choice, expected in (
        ("attack.epsilon=0.1,-1", "attack.epsilon=-1: input should be greater"),
        ("model@crafting=maxout,nearest_neighbor", "has no gradient to craft along"),
    ):
        done = advx(tmp_path, *sweep, choice)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert expected in done.stderr
    assert not (tmp_path / "outputs").exists()


def test_killed_at_ten_random_moments_and_run_again_gives_the_same_rows(tmp_path) -> None:
    command = [*SMOKE, "hydra.run.dir=out"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    start = time.monotonic()
    done = advx(whole, *command)
    duration = time.monotonic() - start
    assert done.returncode == 0, done.stderr
    moments = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(
            [*ADVX, *command], cwd=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0, duration))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = advx(killed, *command)
    assert done.returncode == 0, done.stderr
    assert (killed / "out" / "results.csv").read_bytes() == (
        whole / "out" / "results.csv"
    ).read_bytes()


SILENT = """
from torch import nn
from advx.games.gan import GAN

class Net(nn.Module):
    def forward(self, x):
        raise NotImplementedError

class Estimator:
    def __init__(self, **_):
        raise RuntimeError

class Game(GAN):
    def generate(self, *_):
        raise KeyError("z")
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("model@target=custom target._target_=broken_module.X", "imported (ImportError)"),
        ("model@target=custom target._target_=silent_module.Net", "NotImplementedError"),
        ("model@target=decision_tree target.estimator=silent_module.Estimator", "RuntimeError"),
        ("experiment=gan_samples game._target_=silent_module.Game", "KeyError: 'z'"),
    ],
)
def test_an_exception_without_a_text_is_named(tmp_path, command, words, expected) -> None:
    (tmp_path / "broken_module.py").write_text("raise ImportError", encoding="utf-8")
    (tmp_path / "silent_module.py").write_text(SILENT, encoding="utf-8")
    experiment = [] if "experiment=" in words else ["experiment=transfer"]
    done = command("run", *experiment, "scale=smoke", "device.threads=1", *words.split())
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert expected in done.err


@pytest.mark.parametrize("words", [["list"], ["store", "ls"], ["report"], ["run", "x"]])
def test_a_closed_output_changes_no_exit_status(command, monkeypatch, words) -> None:
    before = command(*words).status
    monkeypatch.setattr(sys, "stdout", None)
    assert command(*words).status == before
    monkeypatch.setattr(sys, "stderr", None)
    assert command(*words).status == before


BAD_EXPERIMENTS = [
    (b"title: [", "experiment/mine.yaml"),
    ("title: Stra\u00dfe\n".encode("latin-1"), "experiment/mine.yaml: not UTF-8"),
    (b"\n", "main: not given; experiment=mine needs"),
    (b"", "experiment=mine: its file must begin with # @package _global_"),
    (b"title: T\nmain: nothing.main\n", "main=nothing.main: cannot be imported"),
    (b"title: T\nmain: own_experiment.nomain\n", "main=own_experiment.nomain: cannot be imported"),
    (b"title: T\nmain: own_experiment.number\n", "main=own_experiment.number: no function"),
    (b"title: T\nmain: 3\n", "main=3: no function"),
    (b"main: advx.experiments.transfer.main\n", "title: not given; experiment=mine needs one"),
]


@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize(("content", "expected"), BAD_EXPERIMENTS)
def test_an_experiment_that_cannot_be_read_is_one_line(
    tmp_path, command, content, expected, sweep
) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    head = b"# @package _global_\n" if content else b""
    (tmp_path / "mine" / "experiment" / "mine.yaml").write_bytes(head + content)
    (tmp_path / "own_experiment.py").write_text("number = 3\n", encoding="utf-8")
    more = ["-m", "seeds=[0],[1]"] if sweep else []
    done = command("run", "--config-dir", "mine", "experiment=mine", *more)
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert expected in done.err
    assert "mine" in done.err


def test_a_seed_that_no_generator_takes_is_refused(command) -> None:
    for seed, status in ((9_000_000_000_001, 2), (99999999999999999999, 2)):
        done = command("run", "experiment=transfer", "scale=smoke", f"seeds=[{seed}]")
        assert (done.status, len(done.err.splitlines())) == (status, 1), done.err
        assert f"{seed} is larger than 9,000,000,000,000" in done.err


def test_a_run_without_one_defined_number_fails_and_keeps_its_files(tmp_path, command) -> None:
    """A script or CI would else take it for a result."""
    words = ["run", "experiment=transfer", "scale=smoke", "seeds=[0]", "hydra.run.dir=out"]
    done = command(*words, "trainer.learning_rate=1e30")
    assert done.status == 2
    assert "advx: out: no number of this run is defined: trainings diverged" in done.err
    assert "Traceback" not in done.err
    assert {"FAILED", "results.csv", "summary.md", "manifest.json"} <= names(tmp_path / "out")
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8") as file:
        values = [row["value"] for row in csv.DictReader(file)]
    assert len(values) > 2
    assert not any(values)
    done = command(*words)
    assert done.status == 0, done.err
    assert "FAILED" not in names(tmp_path / "out")
