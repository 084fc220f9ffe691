"""What a number depends on is in its name: every ingredient of a user's own, changed in one place.

A small project of a user's is written to a folder and measured; then one thing in it is changed and
it is measured again, as a new process would.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from advx.config.compose import composed
from advx.run import Run
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
from advx.training.adam import AdamTrainer

class Trainer(AdamTrainer):
    def rate_in(self, epoch):
        return 1.0 * self.learning_rate
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
            "experiment=transfer", "seeds=[0]", "figure_examples=1", "~dataset",
            "+dataset={name: own, _target_: own_data.load, path: images.npz, classes: 3}",
            "model@crafting=custom", "crafting._target_=nets.Net", "crafting.weights=weights.pt",
            "model@target=custom", "target._target_=nets.Trained",
            "~trainer", "+trainer={name: own, _target_: own_trainer.Trainer, max_epochs: 1}",
            "~defense", "+defense={name: own, _target_: own_defense.Defense}",
            "~attack", "+attack={name: own, _target_: own_attack.Attack}", "store=store",
        ]  # fmt: skip

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
        self.manifest = run.manifest()
        return self.entries() - before, [(r.row + r.metric, r.value) for r in run.results.rows]

    def entries(self) -> set[str]:
        return {
            f"{kind}/{path.stem}"
            for kind in ("models", "rows")
            for path in (self.folder / "store" / kind).glob("*")
        }


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    forget(tmp_path)
    return Project(tmp_path)


def forget(folder: Path, more: Iterable[str] = ()) -> None:
    """Unload the project's modules: the next run reads them as a new process would."""
    names = {Path(name).parts[0].removesuffix(".py") for name in (*FILES, *more)}
    for name in [n for n in sys.modules if n.partition(".")[0] in names]:
        del sys.modules[name]


CHANGES: dict[str, Callable[[Project], object]] = {
    "the model's class": lambda p: p.edit("nets.py", "self.scale * self", "-self.scale * self"),
    "its parent": lambda p: p.edit("nets.py", "self.scale = scale", "self.scale = 2 * scale"),
    "a helper": lambda p: p.edit("own_helper.py", "(x))", "(x + 1))"),
    "a module imported late": lambda p: p.edit("own_late.py", "return x", "return x + 1"),
    "a package": lambda p: p.edit("own_package/__init__.py", "1.0", "1.5"),
    "a relative import": lambda p: p.edit("own_package/deepest.py", "return x", "return -x"),
    "the attack": lambda p: p.edit("own_attack.py", "images +", "images -"),
    "a module under a computed name": lambda p: p.edit("own_step.py", "return x", "return -x"),
    "the defense": lambda p: p.edit("own_defense.py", "1.0", "2.0"),
    "the trainer": lambda p: p.edit("own_trainer.py", "1.0", "2.0"),
    "the weights": lambda p: p.save_weights(1e-3),
    "a pixel by a ten-thousandth": lambda p: (
        p.images.__setitem__((50, 2, 2), p.images[50, 2, 2] + 1e-4), p.save_images()
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_ingredient_is_measured_again(project, what) -> None:
    project.measure()
    CHANGES[what](project)
    forget(project.folder)
    new, rows = project.measure()
    assert new, what
    project.overrides[-1] = "store=fresh"
    assert rows == project.measure()[1], f"{what}: not what an empty store gives"


ACT = "def act(x):\n    return x\n"
USES = "import torch\nimport nets\n{}\n\nclass Other(nets.Net):\n{}"
FORWARD = "    def forward(self, x):\n        return super().forward({}(x))\n"
REACHED = {
    "a file named like one of Python's": (
        {"profile.py": ACT,
         "other.py": USES.format("import profile", FORWARD.format("profile.act"))},
        "profile.py", (),
    ),
    "a module loaded by hand": (
        {"plain.py": ACT, "other.py": USES.format(
            "import importlib.util as u\ns = u.spec_from_file_location('by_hand', 'plain.py')\n"
            "hand = u.module_from_spec(s)\ns.loader.exec_module(hand)",
            FORWARD.format("hand.act"))},
        "plain.py", (),
    ),
    "plugins in a registry": (
        {"own_acts/one.py": "from own_registry import ALL\n\n\ndef act(x):\n    return x\n\n\n"
         "ALL['act'] = act\n", "own_registry.py": "ALL = {}\n", "other.py": USES.format(
            "import importlib, pathlib\nfrom own_registry import ALL\n"
            "for p in pathlib.Path('own_acts').glob('*.py'):\n"
            "    importlib.import_module('own_acts.' + p.stem)", FORWARD.format("ALL['act']"))},
        "own_acts/one.py", (),
    ),
    "a module that an argument names": (
        {"own_act.py": ACT, "other.py": USES.format(
            "import importlib", "    def __init__(self, act):\n        super().__init__()\n"
            "        self.act = getattr(importlib.import_module(act), 'act')\n\n"
            + FORWARD.format("self.act"))},
        "own_act.py", ("+crafting.act=own_act",),
    ),
    "a file in the home folder": (
        {"sign.txt": "return 1\n", "other.py": USES.format(
            "import os", "    def __init__(self, sign):\n        super().__init__()\n"
            "        text = open(os.path.expanduser(sign)).read()\n"
            "        self.sign = -1 if '-' in text else 1\n\n"
            + FORWARD.format("self.sign * torch.as_tensor"))},
        "sign.txt", ("+crafting.sign='~/sign.txt'",),
    ),
    "a long source": (
        {"own_act.py": "X = " + " + ".join(["1"] * 1500) + "\n\n\n" + ACT,
         "other.py": USES.format("import own_act", FORWARD.format("own_act.act"))},
        "own_act.py", (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REACHED)
def test_own_code_is_found_however_it_is_loaded(project, monkeypatch, what) -> None:
    files, changed, more = REACHED[what]
    for name, text in files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text)
    monkeypatch.setenv("HOME", str(project.folder))
    standard = sys.modules.pop("profile", None)
    forget(project.folder, files)
    more = ("crafting._target_=other.Other", *more)
    project.measure(*more)
    assert not project.measure(*more)[0]
    project.edit(changed, "return ", "return -")
    forget(project.folder, files)
    new, rows = project.measure(*more)
    assert new
    assert rows == project.measure(*more, "store=fresh")[1]
    forget(project.folder, files)
    sys.modules.pop("profile", None)
    if standard is not None:
        sys.modules["profile"] = standard


def test_a_module_that_changes_another_one_counts(project) -> None:
    """An attack's module that patches the model's must not poison the model's numbers."""
    plain = dict(project.measure()[1])
    text = "import nets\n\nnets.SIGN = -1.0\n"
    project.edit("own_attack.py", "import importlib\n", text + "import importlib\n")
    forget(project.folder)
    new, rows = project.measure()
    assert new
    assert dict(rows)["customclean_error_rate"] != plain["customclean_error_rate"]
    project.edit("own_attack.py", text, "")
    forget(project.folder)
    new, rows = project.measure()
    assert not new
    assert dict(rows) == plain


@pytest.mark.parametrize(
    "change",
    ["+crafting.scale=-1", "+target.scale=3", "+attack.epsilon=0.5", "+trainer.learning_rate=0.3"],
)
def test_a_changed_argument_is_measured_again(project, change) -> None:
    project.measure()
    new, rows = project.measure(change)
    assert new
    assert rows == project.measure(change, "store=fresh")[1]


def test_two_models_with_one_weights_file_are_two_models(project) -> None:
    same = ["target._target_=nets.Net", "target.weights=weights.pt", "+target.scale=-1",
            "defense._target_=advx.defenses.none.NoDefense"]  # fmt: skip
    rows = dict(project.measure(*same, "+attack.epsilon=0")[1])
    assert rows["customclean_error_rate"] != rows["custom -> itselferror_rate"]


def test_a_file_that_an_argument_names_counts_by_its_content(project) -> None:
    (project.folder / "table.csv").write_text("1")
    given = "+crafting.table=table.csv"
    project.measure(given)
    assert not project.measure(given)[0]
    (project.folder / "table.csv").write_text("2")
    assert project.measure(given)[0]


def test_a_comment_or_another_module_changes_nothing(project) -> None:
    first = project.measure()[1]
    for name in [n for n in FILES if n != "own_package/__init__.py"]:
        project.edit(name, "\n", "\n# a remark\n\n")
    project.edit("unrelated.py", "1", "2")
    forget(project.folder)
    new, rows = project.measure()
    assert not new
    assert rows == first


def test_the_manifest_names_own_modules_and_what_no_key_sees(project) -> None:
    project.measure()
    found = project.manifest["own_code"]
    assert {"nets", "own_helper", "own_late", "own_package", "own_package.deep",
            "own_package.deepest", "own_attack", "own_step", "own_defense", "own_trainer",
            "own_data"} == set(found["modules"])  # fmt: skip
    assert found["in_no_key"] == ["own_data, line 7: load(…) may read a file"]


def test_a_game_of_ones_own_is_named_by_its_source(project) -> None:
    text = "from advx.games.gan import GAN\n\nclass Game(GAN):\n    SIZE = 1\n"
    (project.folder / "nets.py").write_text(text)
    config, _ = composed(["experiment=gan_samples", "scale=smoke"])
    node = config["game"] | {"_target_": "nets.Game"}

    def key() -> str:
        run = Run(config | {"store": "store"}, project.folder, "")
        return run.game_key(run.recipe(node, 0, path="game"))

    first = key()
    assert first == key()
    project.edit("nets.py", "1", "2")
    forget(project.folder)
    assert key() != first


def test_a_longer_run_of_an_own_trainer_continues_the_shorter_one(project, monkeypatch) -> None:
    project.measure()
    epochs = []
    from advx.training.trainer import Trainer

    original = Trainer.one_epoch
    monkeypatch.setattr(
        Trainer, "one_epoch", lambda *args: epochs.append(args[-1]) or original(*args)
    )
    project.measure("trainer.max_epochs=3")
    assert epochs == [2, 3]
