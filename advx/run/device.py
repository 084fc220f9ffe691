"""The processor that a run computes on."""

import torch

from advx.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one.

    Raises:
        ConfigError: `cuda` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name == "cuda" and not available:
        raise ConfigError("device=cuda: no CUDA device on this machine; valid here: auto, cpu")
    return torch.device(name)
