"""The processor that a run computes on."""

import torch

from advx.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one.

    Raises:
        ConfigError: it is not one that this machine has, or that PyTorch knows.
    """
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    valid = "valid here: auto, cpu" + ", cuda" * available
    if name == "cuda" and not available:
        raise ConfigError(f"device=cuda: no CUDA device on this machine; {valid}")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ConfigError(
            f"device.name={name}: PyTorch has no such device here; {valid}"
        ) from error
    return device
