"""The configuration nodes of games, as their YAML files have them."""

from typing import Any

from omegaconf import OmegaConf

from advx.config.check import check_node
from tests.paths import ROOT


def checked(name: str, **options: Any) -> dict[str, Any]:
    """The node `conf/game/NAME.yaml` for 28 × 28 digits, changed, as the checks before a run take
    it: a key that is wrong is named below `game`.

    Raises:
        ConfigError: the checks refuse it.
    """
    node = OmegaConf.load(ROOT / "conf" / "game" / f"{name}.yaml")
    data = {"input_shape": [1, 28, 28], "classes": 10}
    whole = OmegaConf.create({"dataset": data, "game": OmegaConf.merge(node, options)})
    plain = OmegaConf.to_container(whole.game, resolve=True)
    assert isinstance(plain, dict)
    made = {str(key): value for key, value in plain.items()}
    check_node(made, "game")
    return made
