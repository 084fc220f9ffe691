"""Commands on a network and images of a user's own, in files."""

import sys
from collections.abc import Iterator
from pathlib import Path

MODULE = """
import os, pathlib, subprocess, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))

    def forward(self, x):
        return self.layers(x)

class Asking(Net):
    asked = False

    def forward(self, x):
        if not Asking.asked:
            Asking.asked = True
            done = subprocess.run(os.environ["ASKED"], shell=True, capture_output=True, text=True)
            pathlib.Path("answer").write_text(f"{done.returncode} {done.stderr}")
        return super().forward(x)

class Ending(Net):
    calls = 0

    def forward(self, x):
        Ending.calls += 1
        if Ending.calls > 3:  # past the checks
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
        return super().forward(x)
"""

ATTACK = [
    "attack",
    "device.threads=1",
    "figure_examples=1",
    "model@crafting=custom",
    "crafting._target_=files_nets.Net",
    "crafting.weights=w.pt",
    "dataset=images",
    "dataset.classes=4",
    "attack=fgsm",
    "hydra.run.dir=out",
]

OWN = [*ATTACK, "dataset.path=own.npz"]


def imported_anew(folder: Path, monkeypatch, name: str, source: str) -> Iterator[Path]:
    """The folder of a module of one's own, for a fixture to yield from."""
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop(name, None)
    yield folder
    sys.modules.pop(name, None)


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


TRAINING = [
    "run",
    "experiment=transfer",
    "scale=smoke",
    "seeds=[0]",
    "device.threads=1",
    "store=kept",
    "model@crafting=softmax_regression",
    "model@target=softmax_regression",
    "hydra.run.dir=out",
]
