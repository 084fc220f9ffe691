"""What a number depends on is in its name: every part of a user's own, changed in one place.

A small project of a user's is written to a folder and measured; then one thing in it is changed and
it is measured again, as a new process would.
"""

import sys
from collections.abc import Callable

import pytest

from advx.config.compose import composed
from advx.config.config import Config
from advx.run import Run
from tests.own_project import FILES, Project, forget


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    forget(tmp_path)
    return Project(tmp_path)


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
        p.images.__setitem__((50, 2, 2), p.images[50, 2, 2] + 1e-4),
        p.save_images(),
    ),
}


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
        {
            "profile.py": ACT,
            "other.py": USES.format("import profile", FORWARD.format("profile.act")),
        },
        "profile.py",
        (),
    ),
    "a module loaded by hand": (
        {
            "plain.py": ACT,
            "other.py": USES.format(
                "import importlib.util as u\ns = u.spec_from_file_location('by_hand', 'plain.py')\n"
                "hand = u.module_from_spec(s)\ns.loader.exec_module(hand)",
                FORWARD.format("hand.act"),
            ),
        },
        "plain.py",
        (),
    ),
    "plugins in a registry": (
        {
            "own_acts/one.py": "from own_registry import ALL\n\n\ndef act(x):\n    return x\n\n\n"
            "ALL['act'] = act\n",
            "own_registry.py": "ALL = {}\n",
            "other.py": USES.format(
                "import importlib, pathlib\nfrom own_registry import ALL\n"
                "for p in pathlib.Path('own_acts').glob('*.py'):\n"
                "    importlib.import_module('own_acts.' + p.stem)",
                FORWARD.format("ALL['act']"),
            ),
        },
        "own_acts/one.py",
        (),
    ),
    "a module that an argument names": (
        {
            "own_act.py": ACT,
            "other.py": USES.format(
                "import importlib",
                "    def __init__(self, act):\n        super().__init__()\n"
                "        self.act = getattr(importlib.import_module(act), 'act')\n\n"
                + FORWARD.format("self.act"),
            ),
        },
        "own_act.py",
        ("+crafting.act=own_act",),
    ),
    "a file in the home folder": (
        {
            "sign.txt": "return 1\n",
            "other.py": USES.format(
                "import os",
                "    def __init__(self, sign):\n        super().__init__()\n"
                "        text = open(os.path.expanduser(sign)).read()\n"
                "        self.sign = -1 if '-' in text else 1\n\n"
                + FORWARD.format("self.sign * torch.as_tensor"),
            ),
        },
        "sign.txt",
        ("+crafting.sign='~/sign.txt'",),
    ),
    "a long source": (
        {
            "own_act.py": "X = " + " + ".join(["1"] * 1500) + "\n\n\n" + ACT,
            "other.py": USES.format("import own_act", FORWARD.format("own_act.act")),
        },
        "own_act.py",
        (),
    ),
}


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
    assert dict(rows)["custom (target)clean_error_rate"] != plain["custom (target)clean_error_rate"]
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
    same = [
        "target._target_=nets.Net",
        "target.weights=weights.pt",
        "+target.scale=-1",
        "defense._target_=advx.defenses.none.NoDefense",
    ]
    rows = dict(project.measure(*same, "+attack.epsilon=0")[1])
    assert rows["custom (target)clean_error_rate"] != rows["custom (crafting) -> itselferror_rate"]


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
    assert {
        "nets",
        "own_helper",
        "own_late",
        "own_package",
        "own_package.deep",
        "own_package.deepest",
        "own_attack",
        "own_step",
        "own_defense",
        "own_trainer",
        "own_data",
    } == set(found["modules"])
    assert found["in_no_key"] == ["own_data, line 7: load(…) may read a file"]


def test_a_game_of_ones_own_is_named_by_its_source(project) -> None:
    text = "from advx.games.gan import GAN\n\nclass Game(GAN):\n    SIZE = 1\n"
    (project.folder / "nets.py").write_text(text)
    config, _ = composed(["experiment=gan_samples", "scale=smoke"])
    node = config["game"] | {"_target_": "nets.Game"}

    def key() -> str:
        run = Run(config | {"store": "store"}, project.folder, "")
        return run.game(Config(node, "game"), 0).key

    first = key()
    assert first == key()
    project.edit("nets.py", "1", "2")
    forget(project.folder)
    assert key() != first


def test_a_longer_run_of_an_own_trainer_continues_the_shorter_one(project, monkeypatch) -> None:
    project.measure()
    epochs = []
    from advx.training import loop

    original = loop.one_epoch
    monkeypatch.setattr(loop, "one_epoch", lambda *args: epochs.append(args[-1]) or original(*args))
    project.measure("trainer.max_epochs=3")
    assert epochs == [2, 3]
