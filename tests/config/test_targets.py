"""What is refused of a `_target_` and of its arguments says what there is instead."""

import sys

import pytest

from advx.config.check import check_node
from advx.errors import ConfigError

MODULE = """
from collections import OrderedDict


class Net:
    pass


class Other(Net):
    def __init__(self, hidden=1):
        pass
"""


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    names = ("targets_here", "targets_empty", "targets_broken", "targets_package")
    (tmp_path / "targets_here.py").write_text(MODULE)
    (tmp_path / "targets_empty.py").write_text("value = 1")
    (tmp_path / "targets_package").mkdir()
    (tmp_path / "targets_package" / "__init__.py").write_text("class Net: pass")
    (tmp_path / "targets_package" / "broken.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [m for m in sys.modules if m.partition(".")[0] in names]:
        sys.modules.pop(name)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("targets_here.Nett", r"targets_here has no Nett; did you mean Net\? valid: Net, Other$"),
        ("targets_here.xyz.load", r"targets_here has no xyz; valid: Net, Other$"),
        ("targets_empty.Net", r"targets_empty has no Net; targets_empty defines no class or"),
        ("targets_package.brokem.Net", r"targets_package has no brokem; valid: Net$"),
        (
            "targets_package.broken.Net",
            r"cannot be imported \(.*no_such_package",
        ),
        ("targets_nowhere.Net", r"cannot be imported \(No module named 'targets_nowhere'\)$"),
        ("advx.models.maxout.Maxou", r"advx.models.maxout has no Maxou; did you mean Maxout"),
    ],
)
def test_a_class_that_is_not_there_is_told_from_a_module_that_is_not(target, message) -> None:
    with pytest.raises(ConfigError, match=rf"^crafting\._target_={target}: {message}") as caught:
        check_node({"_target_": target}, "crafting")
    assert "\n" not in str(caught.value)


def test_what_takes_no_arguments_says_so() -> None:
    with pytest.raises(ConfigError) as caught:
        check_node({"_target_": "targets_here.Net", "hidden": 1}, "crafting")
    assert str(caught.value) == (
        "crafting.hidden=1: no such key; valid: none, targets_here.Net takes no arguments"
    )
    with pytest.raises(ConfigError, match=r"hiden=1: no such key; did you mean hidden\? valid: h"):
        check_node({"_target_": "targets_here.Other", "hiden": 1}, "crafting")
