"""Lists that an experiment cannot do without are refused before anything is trained."""

import pytest

from advx.config.compose import main_of, resolved
from advx.errors import ConfigError
from advx.run import check

NEEDED = [
    ("adversarial_training", "epsilons"),
    ("adversarial_training", "curve_epsilons"),
    ("conditional_gan", "sigmas"),
    ("distribution_matching", "components"),
    ("gan_collapse", "losses"),
    ("gan_collapse_stacked", "discriminator_steps"),
    ("gan_samples", "sigmas"),
    ("hidden_representation", "layers"),
    ("imperceptible", "levels"),
    ("linearity", "pixels"),
    ("search_strength", "figures"),
    ("search_strength", "steps"),
    ("training_perturbations", "attacked"),
]


@pytest.mark.parametrize(("experiment", "key"), NEEDED)
def test_an_empty_list_is_one_line(experiment, key) -> None:
    words = [f"experiment={experiment}", "scale=smoke"]
    config = resolved([*words, f"{key}=[]"])
    with pytest.raises(ConfigError) as refused:
        check(config, main_of(config, words))
    assert str(refused.value) == f"{key}=[]: empty; valid: one value or more"
