"""Sweeps train each model once, also in parallel jobs; a user's own module takes part."""

import json
from pathlib import Path

from tests.test_cli import advx

SWEEP = [
    "run", "-m", "experiment=transfer", "scale=smoke", "seeds=[0]", "crafting.units=[20,20]",
    "model@target=softmax_regression,nearest_neighbor", "attack.epsilon=0.1,0.25",
]  # fmt: skip

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
    done = advx(tmp_path, *base, "model@target=custom", f"target.{own}", "+target.hidden=9",
                "crafting.units=[20,20]")  # fmt: skip
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
    command = ["run", "experiment=transfer", "scale=smoke", "seeds=[0]",
               "model@crafting=softmax_regression",
               "model@target=custom", "target._target_=my_module.MyNet"]  # fmt: skip
    for source in (MODULE, MODULE.replace("ReLU", "Tanh")):
        (tmp_path / "my_module.py").write_text(source)
        assert advx(tmp_path, *command).returncode == 0
    entries = [json.loads(p.read_text()) for p in tmp_path.glob("outputs/store/models/*/meta.json")]
    assert [e["name"] for e in entries].count("custom") == 2
