"""An experiment's sizes, in its own file: what wins, where they are found, what is refused."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from advx.config.choices import choices
from advx.config.compose import resolved
from advx.config.scales import read_scales, unused
from tests.paths import ROOT

MINE = """\
# @package _global_
defaults:
  - /model@crafting: softmax_regression
  - /model@target: softmax_regression
  - /attack: fgsm
  - /defense: none
  - /defense@crafting_defense: none
title: Mine
main: advx.experiments.transfer.main
seeds: [4]
trainer: {max_epochs: 2, batch_size: 700}
figure_examples: 2
"""
SCALES = """\
scales:
  smoke:
    defaults: [/scale/smoke/training, /attack/pgd@attack]
    seeds: [5]
    trainer: {max_epochs: 1}
    attack: {steps: 2}
  quick:
"""


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A configuration folder of one's own with the experiments `mine` and `deep/mine`."""
    monkeypatch.chdir(tmp_path)
    write("mine", MINE + SCALES)
    write("deep/mine", MINE + SCALES.replace("[5]", "[6]"))
    return tmp_path / "own"


def write(experiment: str, text: str) -> None:
    file = Path("own", "experiment", f"{experiment}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def shown(command: Any, *words: str) -> dict[str, Any]:
    """The configuration that `advx run … --cfg job` prints."""
    done = command("run", *words, "--cfg", "job")
    assert done.status == 0, done.err
    return dict(yaml.safe_load(done.out))


PLACES = {"--config-dir": ["--config-dir", "own"], "searchpath": ["hydra.searchpath=[own]"]}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("name", "seed"), [("mine", 5), ("deep/mine", 6)])
def test_the_command_line_wins_over_the_scale_and_that_over_the_experiment(
    own, command, place, name, seed
) -> None:
    words = [*place, f"experiment={name}"]
    quick = shown(command, *words)
    assert quick["seeds"] == [4]
    assert (quick["trainer"]["max_epochs"], quick["trainer"]["batch_size"]) == (2, 700)
    assert quick["dataset"]["limit"] is None
    assert "scales" not in quick

    smoke = shown(command, *words, "scale=smoke")
    assert smoke["seeds"] == [seed]
    assert (smoke["trainer"]["max_epochs"], smoke["trainer"]["batch_size"]) == (1, 700)
    assert smoke["dataset"]["limit"] == {"train": 500, "validation": 100, "test": 100}
    assert (smoke["attack"]["_target_"].split(".")[-1], smoke["attack"]["steps"]) == ("PGD", 2)
    assert "scales" not in smoke

    more = ["scale=smoke", "seeds=[8]", "trainer.max_epochs=3", "dataset.limit.test=9"]
    given = shown(command, *words, *more)
    assert given["seeds"] == [8]
    assert (given["trainer"]["max_epochs"], given["trainer"]["batch_size"]) == (3, 700)
    assert given["dataset"]["limit"] == {"train": 500, "validation": 100, "test": 9}

    assert shown(command, *words, "scale=smoke", "~at")["seeds"] == [4]


def merged(experiment: str, scale: str) -> DictConfig:
    """An experiment without its sizes, and on it the block of its file as it stands there."""
    block: Any = OmegaConf.load(ROOT / "conf" / "experiment" / f"{experiment}.yaml").scales[scale]
    shared = [
        OmegaConf.load(ROOT / "conf" / f"{name.lstrip('/')}.yaml")
        for path in block.pop("defaults", [])
        for name in ("/scale/smoke/digits", path)
    ]
    read_scales()
    with initialize_config_module("advx.conf", version_base="1.3"):
        bare = compose("config", [f"experiment={experiment}", f"scale={scale}", "~at"])
    OmegaConf.set_struct(bare, False)
    del bare.experiment  # of Hydra's state
    for each in shared:
        each.pop("defaults", None)
    return OmegaConf.merge(bare, *shared, block)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("experiment", "scale"),
    [
        ("transfer_table", "smoke"),
        ("conditional_gan", "smoke"),
        ("church_windows", "smoke"),
        ("gan_collapse_stacked", "quick"),
        ("virtual_adversarial_training", "chapter"),
    ],
)
def test_a_composed_experiment_is_its_file_with_the_block_merged_into_it(experiment, scale) -> None:
    expected = OmegaConf.to_container(merged(experiment, scale), resolve=True)
    found = resolved([f"experiment={experiment}", f"scale={scale}"])
    assert found.pop("experiment") == experiment
    assert found == expected


@pytest.mark.parametrize("experiment", choices()["experiment"])
def test_every_experiment_has_a_smallest_size_and_no_other_file_holds_one(experiment) -> None:
    text = (ROOT / "conf" / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
    last = re.findall(r"^(\w+):", text, re.MULTILINE)[-1]
    names = [*yaml.safe_load(text)["scales"]]
    assert last == "scales"
    assert names[0] == "smoke"
    assert names == [scale for scale in ("smoke", "quick", "chapter") if scale in names]
    assert not (ROOT / "conf" / "at").exists()


IDLE = """
def main(run, crafting, target, attack, defense, crafting_defense, figure_examples):
    pass
"""


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_each_job_of_a_sweep_has_the_sizes_of_its_experiment_and_scale(own, command, place) -> None:
    Path("idle.py").write_text(IDLE, encoding="utf-8")
    for name in ("mine", "deep/mine"):
        file = own / "experiment" / f"{name}.yaml"
        text = file.read_text(encoding="utf-8").replace("advx.experiments.transfer", "idle")
        file.write_text(text, encoding="utf-8")
    words = ["experiment=mine,deep/mine", "scale=smoke,quick"]
    done = command("run", "-m", *place, *words)
    assert (done.status, done.err) == (0, "")
    made = Path("outputs/runs").glob("**/.hydra/config.yaml")
    configs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in made]
    found = sorted((config["scale"], *config["seeds"]) for config in configs)
    assert found == [("quick", 4), ("quick", 4), ("smoke", 5), ("smoke", 6)]
    for config in configs:
        assert (config["dataset"]["limit"] is None) == (config["scale"] == "quick")
        assert "scales" not in config


FAULTS = {
    "scales: [smoke]": "scales=['smoke']: sizes by scale are needed",
    "scales: 3": "scales=3: sizes by scale are needed",
    "scales: {smok: {seeds: [0]}}": "scales.smok: no such scale; did you mean smoke? "
    "valid: chapter, quick, smoke (a scale of your own is a file scale/smok.yaml beside",
    "scales: {smoke: [seeds]}": "scales.smoke=['seeds']: keys and values are needed",
    "scales: {smoke: {defaults: [{override /dataset: mnist}]}}": "no override is possible here",
    "scales: {smoke: {seedz: [0]}}": "seedz=[0]: no such key in experiment=mine; did you "
    "mean seeds?",
    "scales: {smoke: {trainer: {max_epoch: 1}}}": "trainer.max_epoch=1: no such key; did you mean "
    "max_epochs?",
    "scales: {smoke: {trainer: {max_epochs: few}}}": "trainer.max_epochs=few: input should be",
    "scales: {smoke: {defaults: [/scale/smoke/nothing]}}": "Could not load 'scale/smoke/nothing'",
}


@pytest.mark.parametrize("sweep", [[], ["-m", "seeds=[0],[1]"]], ids=["run", "sweep"])
@pytest.mark.parametrize(("text", "expected"), FAULTS.items())
def test_a_fault_in_the_sizes_is_one_line(own, command, text, expected, sweep) -> None:
    write("mine", MINE + text + "\n")
    done = command("run", "--config-dir", "own", "experiment=mine", "scale=smoke", *sweep)
    assert (done.status, len(done.err.splitlines())) == (2, 1), done.err
    assert expected in done.err
    assert not list(Path().glob("outputs/store/models/*"))


def test_a_fault_in_the_sizes_of_another_scale_is_told_as_well(own, command) -> None:
    write("mine", MINE + "scales: {smoke: {seeds: [1]}, chaptr: {seeds: [1]}}\n")
    done = command("run", "--config-dir", "own", "experiment=mine", "scale=smoke", "--cfg", "job")
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert "experiment=mine: scales.chaptr: no such scale; did you mean chapter?" in done.err


def test_a_scale_of_ones_own_and_files_of_sizes(own, command) -> None:
    """`at/EXPERIMENT/SCALE.yaml` sets sizes as well, also those of experiments of advx."""
    for file, text in {
        "scale/tiny": "scale: tiny",
        "at/transfer/tiny": "seeds: [7]",
        "at/deep/mine/smoke": "seeds: [9]",
    }.items():
        path = own / f"{file}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# @package _global_\n{text}\n", encoding="utf-8")
    write("mine", MINE + "scales: {tiny: {seeds: [3]}}\n")
    words = ["--config-dir", "own", "scale=tiny"]
    assert shown(command, *words, "experiment=mine")["seeds"] == [3]
    assert shown(command, *words, "experiment=transfer")["seeds"] == [7]
    assert shown(command, *words, "experiment=mine", "scale=quick")["seeds"] == [4]
    assert shown(command, *words, "experiment=deep/mine", "scale=smoke")["seeds"] == [9]


def test_sizes_of_the_experiment_that_another_one_begins_with(own, command) -> None:
    head = "# @package _global_\ndefaults: [transfer_table]\n"
    words = ["--config-dir", "own", "experiment=mine", "scale=smoke"]
    write("mine", head)
    assert shown(command, *words)["seeds"] == [0, 1, 2]
    write("mine", head + "scales: {smoke: {defaults: [/at/transfer_table/smoke], seeds: [1]}}\n")
    smoke = shown(command, *words)
    assert smoke["seeds"] == [1]
    assert smoke["models"]["tanh"]["units"] == [60, 60]


def test_an_experiment_with_the_name_of_one_of_advx_is_not_mixed_with_it(own, command) -> None:
    """Hydra takes the first on its search path, which is that of advx: it is said, not hidden."""
    write("transfer", MINE + "scales: {smoke: {seeds: [5]}, quick: {seeds: [5]}}\n")
    words = ["--config-dir", "own", "experiment=transfer"]
    assert shown(command, *words)["seeds"] == [0, 1, 2]
    assert shown(command, *words, "scale=smoke")["seeds"] == [0, 1]
    done = command("run", *words, "scale=smoke", "attack.epsilon=-1")
    warning = (
        f"experiment=transfer: {own}/experiment/transfer.yaml is not used, since pkg://advx.conf"
    )
    assert warning in done.err + done.out
    done = command("run", "--config-dir", "own", "experiment=mine", "attack.epsilon=-1")
    assert "is not used" not in done.err + done.out


def test_an_experiment_of_one_name_only_hides_none(own) -> None:
    with initialize_config_module("advx.conf", version_base="1.3"):
        config = compose("config", ["experiment=transfer"], return_hydra_config=True)
    assert unused(config.hydra.runtime) is None


def test_hydras_tree_shows_the_sizes(own, command) -> None:
    words = ["--config-dir", "own", "experiment=mine", "scale=smoke"]
    tree = command("run", *words, "--info", "defaults-tree").out
    assert re.search(r"at: mine/smoke:\n +scale/smoke/training:\n +scale/smoke/digits\n", tree)


def test_a_shell_completes_what_an_own_experiment_has(own, command, monkeypatch) -> None:
    def completed(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", f"advx {line}")
        return command("run", "-sc", "query=bash").out.split()

    assert completed("--config-dir own experiment=mi") == ["experiment=mine"]
    assert completed("--config-dir nowhere experiment=mi") == []
    assert completed("hydra.searchpath=[own] experiment=mi") == ["experiment=mine"]
    line = "--config-dir own experiment=mine scale=smoke"
    assert completed(f"{line} dataset.limit.te") == ["dataset.limit.test="]
    assert "scale=" in completed(f"{line} sc")
    assert completed(f"{line} scales") == []


def test_list_names_own_experiments_and_choices(own, command) -> None:
    write("broken", "title: [")
    (own / "model").mkdir()
    (own / "model" / "my_net.yaml").write_text("name: my_net\n", encoding="utf-8")
    (own / "at").mkdir()
    printed = command("list", "--config-dir", "own").out
    assert re.search(r"^  deep/mine +Mine$", printed, re.MULTILINE)
    assert re.search(r"^  broken +cannot be read \(", printed, re.MULTILINE)
    assert re.search(r"^  transfer_table +Table 1.1: ", printed, re.MULTILINE)
    assert re.search(r"^  model .*\bmaxout, my_net, ", printed, re.MULTILINE)
    assert "mine" not in command("list").out
    assert command("list").out.count("\n") == len(choices()) + len(choices()["experiment"]) + 2
    done = command("list", "--config-dir", "nowhere")
    assert (done.status, done.err) == (2, "advx: --config-dir=nowhere: no such folder\n")
    assert os.listdir(own / "at") == []
