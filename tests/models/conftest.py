"""What the tests of a user's own models share."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.own_nets import MODULE


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with the module, 120 images and weights; the module is imported anew."""
    (tmp_path / "own_nets.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("own_nets", None)
    import own_nets

    assert own_nets.__file__ == str(tmp_path / "own_nets.py")
    pixels = np.random.default_rng(0).integers(1, 256, (120, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels, labels=np.arange(120) % 3)
    torch.manual_seed(0)
    torch.save(own_nets.Net().state_dict(), tmp_path / "weights.pt")
    yield tmp_path
    sys.modules.pop("own_nets", None)
