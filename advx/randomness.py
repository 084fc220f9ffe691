"""Random numbers under a seed: those of PyTorch, NumPy and Python that code draws by default."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Let every generator that code draws from by default begin at this seed, from 0."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Random numbers of this seed inside; outside they go on as if nothing had been drawn.

    Args:
        seed: from 0.
        device: one whose generator goes on too, besides the CPU's.
    """
    others = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[device] if device and device.type == "cuda" else []):
        seed_all(seed)
        try:
            yield
        finally:
            np.random.set_state(others[0])
            random.setstate(others[1])
