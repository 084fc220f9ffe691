"""A small project of a user's own: a network, an attack, a defense, a trainer and data."""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from tests.running import ran

FILES = {
    "nets.py": """
import torch
from torch import nn
from own_helper import act

SIGN = 1.0

class Net(nn.Module):
    def __init__(self, scale=1.0, table=None):
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))

    def forward(self, x):
        return self.scale * self.layers(SIGN * act(x))

class Trained(Net):
    pass
""",
    "own_helper.py": """
from own_package import deep

def act(x):
    from own_late import late
    return late(deep.deeper(x))
""",
    "own_late.py": "def late(x):\n    return x\n",
    "own_package/__init__.py": "SCALE = 1.0\n",
    "own_package/deep.py": """
from . import SCALE
from .deepest import deepest

def deeper(x):
    return SCALE * deepest(x)
""",
    "own_package/deepest.py": "def deepest(x):\n    return x\n",
    "own_attack.py": """
import importlib
NAME = "own_" + "step"
step = importlib.import_module(NAME)

class Attack:
    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def __call__(self, model, images, labels):
        return images + step.step(self.epsilon)
""",
    "own_step.py": "def step(x):\n    return x\n",
    "own_defense.py": """
from torch.nn import functional as F

class Defense:
    def __call__(self, model, images, labels):
        return 1.0 * F.cross_entropy(model(images), labels)
""",
    "own_trainer.py": """
from advx.training.optimizers import Adam
from advx.training.trainer import Trainer as Usual

class Constant(Adam):
    def learning_rate_at(self, update, epoch):
        return 1.0 * self.learning_rate

class Trainer(Usual):
    def __init__(self, learning_rate=0.001, max_epochs=1):
        super().__init__(optimizer=Constant(learning_rate=learning_rate), max_epochs=max_epochs)
""",
    "own_data.py": """
import numpy as np
import torch
from advx.data.dataset import Dataset, Split

def load(path):
    kept = np.load(path)
    images, labels = torch.from_numpy(kept["images"])[:, None], torch.from_numpy(kept["labels"])
    parts = [Split(images[a:b], labels[a:b]) for a, b in ((0, 30), (30, 45), (45, 60))]
    return Dataset("own", 3, *parts)
""",
    "unrelated.py": "VALUE = 1\n",
}


class Project:
    """A user's folder, and the entries of its store before and after a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        generator = np.random.default_rng(0)
        self.images = generator.random((60, 6, 6)).astype(np.float32)
        self.save_images()
        self.save_weights(0.0)
        self.overrides = [
            "experiment=transfer",
            "seeds=[0]",
            "figure_examples=1",
            "~dataset",
            "+dataset={name: own, _target_: own_data.load, path: images.npz, classes: 3}",
            "model@crafting=custom",
            "crafting._target_=nets.Net",
            "crafting.weights=weights.pt",
            "model@target=custom",
            "target._target_=nets.Trained",
            "~trainer",
            "+trainer={name: own, _target_: own_trainer.Trainer, max_epochs: 1}",
            "~defense",
            "+defense={name: own, _target_: own_defense.Defense}",
            "~attack",
            "+attack={name: own, _target_: own_attack.Attack}",
            "store=store",
        ]

    def save_images(self) -> None:
        np.savez(self.folder / "images.npz", images=self.images, labels=np.arange(60) % 3)

    def save_weights(self, more: float) -> None:
        generator = torch.Generator().manual_seed(0)
        state = {
            "layers.1.weight": torch.rand(3, 36, generator=generator),
            "layers.1.bias": torch.rand(3, generator=generator) + more,
        }
        torch.save(state, self.folder / "weights.pt")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def measure(self, *more: str) -> tuple[set[str], list[tuple[str, float]]]:
        """Entries of the store that are new, and the rows."""
        before = self.entries()
        run = ran(self.folder, [*self.overrides, *more])
        self.manifest = run.files.manifest()
        return self.entries() - before, [
            (r.row + r.metric, r.value) for r in run.table.results.rows
        ]

    def entries(self) -> set[str]:
        return {
            f"{kind}/{path.stem}"
            for kind in ("models", "rows")
            for path in (self.folder / "store" / kind).glob("*")
        }


def forget(folder: Path, more: Iterable[str] = ()) -> None:
    """Unload the project's modules: the next run reads them as a new process would."""
    names = {Path(name).parts[0].removesuffix(".py") for name in (*FILES, *more)}
    for name in [n for n in sys.modules if n.partition(".")[0] in names]:
        del sys.modules[name]
