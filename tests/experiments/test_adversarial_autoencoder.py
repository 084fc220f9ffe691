"""What the experiment on adversarial autoencoders refuses before it trains anything."""

import pytest

from advx.config.check import keywords
from advx.errors import ConfigError
from tests.running import started

UNCLAIMED = ("claims=[]", "rows=[]")
"""What is refused may leave cells out that rows and claims name."""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("labels=[100,7]", "labels=7: the same number of each of the 10 classes is needed"),
        ("labels=[1000]", "labels=1000: mnist5k has 500 training examples"),
        ("labels=[100,null]", "labels=[100, None]: null hides every label; valid: from 1, or all"),
        ("labels=[]", "labels=[]: nothing to learn from; valid: numbers of labels, or all"),
        ("clusters=[12,501]", "clusters=[12, 501]: of 500 training images; valid: up to 500"),
        ("autoencoder.latent=3", "autoencoder.latent=3: codes lie in a plane; valid: 2"),
        ("vae.latent=3", "vae.latent=3: codes lie in a plane; valid: 2"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_trained(
    words, complaint, tmp_path
) -> None:
    run, config, main = started(tmp_path, "experiment=adversarial_autoencoder", words, *UNCLAIMED)
    run.models._remembered = lambda *_: pytest.fail("trained")  # type: ignore[method-assign]
    with pytest.raises(ConfigError) as refused:
        main(run, **keywords(config, main))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)
