"""A user's folder."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.own_files import MODULE


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A folder with a network, its weights and twelve images."""
    (tmp_path / "files_nets.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    state = {"layers.1.weight": torch.randn(4, 36), "layers.1.bias": torch.zeros(4)}
    torch.save(state, tmp_path / "w.pt")
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 6), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(12) % 4)
    return tmp_path
