"""Sweeps train each model once, also in parallel jobs; a user's own module takes part."""

import json
import shutil
from pathlib import Path

from tests.processes import advx

SWEEP = [
    "run",
    "-m",
    "experiment=transfer",
    "scale=smoke",
    "seeds=[0]",
    "crafting.units=[20,20]",
    "model@target=softmax_regression,nearest_neighbor",
    "attack.epsilon=0.1,0.25",
]

MODULE = """
import torch

class MyNet(torch.nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(784, hidden),
            torch.nn.ReLU(), torch.nn.Linear(hidden, 10),
        )

    def forward(self, x):
        return self.net(x)
"""


def test_parallel_jobs_share_models_and_agree_with_serial_ones(tmp_path: Path) -> None:
    for name, extra in (("serial", []), ("parallel", ["hydra/launcher=joblib"])):
        done = advx(tmp_path, *SWEEP, *extra, f"store={name}", f"hydra.sweep.dir=runs/{name}")
        assert done.returncode == 0, done.stderr
        trained = [
            json.loads(p.read_text())["name"] for p in tmp_path.glob(f"{name}/models/*/meta.json")
        ]
        assert sorted(trained) == ["maxout", "softmax_regression"]
    for job in range(4):
        serial, parallel = (
            (tmp_path / "runs" / name / str(job) / "results.csv").read_bytes()
            for name in ("serial", "parallel")
        )
        assert serial == parallel


def test_a_users_module_crafts_and_is_attacked(tmp_path: Path) -> None:
    (tmp_path / "my_module.py").write_text(MODULE)
    base = ["run", "experiment=transfer", "scale=smoke", "seeds=[0]", "hydra.run.dir=out"]
    own = "_target_=my_module.MyNet"
    done = advx(
        tmp_path,
        *base,
        "model@target=custom",
        f"target.{own}",
        "+target.hidden=9",
        "crafting.units=[20,20]",
    )
    assert done.returncode == 0, done.stderr
    assert "maxout -> custom" in done.stdout
    done = advx(
        tmp_path, *base, "model@crafting=custom", f"crafting.{own}", "model@target=nearest_neighbor"
    )
    assert done.returncode == 0, done.stderr
    assert "custom -> nearest_neighbor" in done.stdout

    done = advx(tmp_path, *base, "model@target=custom", f"target.{own}", "+target.hiden=9")
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .startswith("advx: target.hiden=9: no such key; did you mean hidden?")
    )
    done = advx(tmp_path, *base, "model@target=custom")
    assert done.returncode == 2
    assert "target._target_" in done.stderr


def test_changing_a_users_source_trains_again(tmp_path: Path) -> None:
    command = [
        "run",
        "experiment=transfer",
        "scale=smoke",
        "seeds=[0]",
        "model@crafting=softmax_regression",
        "model@target=custom",
        "target._target_=my_module.MyNet",
    ]
    for source in (MODULE, MODULE.replace("ReLU", "Tanh")):
        (tmp_path / "my_module.py").write_text(source)
        assert advx(tmp_path, *command).returncode == 0
    entries = [json.loads(p.read_text()) for p in tmp_path.glob("outputs/store/models/*/meta.json")]
    assert [e["name"] for e in entries].count("custom") == 2


SMALL = ["seeds=[0]", "model@crafting=softmax_regression", "model@target=softmax_regression"]


def jobs(pattern: str) -> list[Path]:
    return sorted(path.parent for path in Path("outputs/runs").glob(f"{pattern}/summary.csv"))


def test_a_key_that_only_the_swept_choices_have(advx) -> None:
    words = ["run", "experiment=transfer", "scale=smoke", *SMALL, "attack.steps=3"]
    status, _, said = advx(*words, "-m", "attack=pgd,multi_targeted", "attack.epsilon=0.1")
    assert (status, said) == (0, "")
    made = jobs("transfer/sweep_*/*")
    assert [folder.name for folder in made] == ["0", "1"]
    configs = [json.loads((folder / "manifest.json").read_text())["config"] for folder in made]
    assert [config["attack"]["steps"] for config in configs] == [3, 3]
    assert [config["attack"]["_target_"].split(".")[-1] for config in configs] == [
        "PGD",
        "MultiTargeted",
    ]
    assert "attack=pgd,multi_targeted" in (made[0].parent / "multirun.yaml").read_text()
    shutil.rmtree("outputs")

    for mode in ("-m", "hydra.mode=MULTIRUN"):
        status, _, said = advx(*words, mode, "attack=pgd,fgsm")
        assert status == 2
        assert said.startswith("advx: attack.steps=3: no such key; ")
        assert said.endswith("(the job with attack=fgsm)\n")
        assert not Path("outputs").exists()


def test_a_sweep_over_experiments_and_scales(advx) -> None:
    words = ["experiment=transfer,mine", *SMALL, "scale=smoke,quick", "trainer.max_epochs=1"]
    status, _, said = advx("run", "-m", "--config-dir", "conf", *words, "figure_examples=1")
    assert (status, said) == (0, "")
    for experiment in ("transfer", "mine"):  # sizes: those of each job's own experiment and scale
        manifests = [folder / "manifest.json" for folder in jobs(f"{experiment}/sweep_*/*")]
        configs = [json.loads(path.read_text())["config"] for path in manifests]
        assert [config["scale"] for config in configs] == ["smoke", "quick"]
        assert {config["experiment"] for config in configs} == {experiment}
        limits = [config["dataset"]["limit"] is not None for config in configs]
        assert limits == [experiment == "transfer", False]
    status, printed, _ = advx("report")
    assert status == 0
    assert "\nmine: Mine — " in printed
    assert "\ntransfer: Transfer of adversarial examples: softmax_regression" in printed


def test_a_job_that_fails_is_named_and_the_others_go_on(advx) -> None:
    words = ["experiment=transfer", "scale=smoke", *SMALL, "crafting.weights=absent.pt,null"]
    status, _, said = advx("run", "-m", *words)
    assert status == 2
    line = said.splitlines()[-1]
    assert line.startswith("advx: job 0 (experiment=transfer scale=smoke seeds=[0] ")
    assert line.endswith("crafting.weights=absent.pt: No such file or directory")
    assert "Traceback" not in said
    assert [folder.name for folder in jobs("transfer/sweep_*/*")] == ["1"]
    status, printed, _ = advx("report")
    assert status == 0
    assert "/0: failed: " in printed
