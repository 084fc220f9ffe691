"""What a run took: hours of a core and of a GPU, by its manifest."""

from typing import NamedTuple

from advx.config.documents import Manifest

HOUR = 3600


class Spent(NamedTuple):
    """What training a run's networks and crafting its examples took.

    Attributes:
        core: hours of one core.
        gpu: hours of a GPU.
    """

    core: float
    gpu: float

    def __str__(self) -> str:
        gpu = f"{duration(self.gpu)} (GPU)"
        if self.gpu == 0:
            return duration(self.core)
        return gpu if self.core == 0 else f"{duration(self.core)} + {gpu}"

    def in_words(self) -> str:
        """The same for a sentence."""
        if self.gpu == 0 or self.core == 0:
            return f"{self}{' of one core' if self.gpu == 0 else ''}"
        return f"{duration(self.core)} of one core and {duration(self.gpu)} of a GPU"


def spent(manifest: Manifest) -> Spent:
    """The hours of a run by its manifest; networks of its store may come from another device."""
    here = str(manifest["device"])
    by_gpu = {True: 0.0, False: 0.0}
    for network in manifest.get("store_keys", {}).values():
        by_gpu[on_gpu(network.get("device", here))] += network.get("seconds") or 0.0
    by_gpu[on_gpu(here)] += sum(manifest["seconds"].values()) - sum(by_gpu.values())
    cores = manifest["threads"] / HOUR
    return Spent(core=max(0.0, by_gpu[False]) * cores, gpu=max(0.0, by_gpu[True]) / HOUR)


def on_gpu(device: object) -> bool:
    """Whether a device, as PyTorch names it, is a GPU."""
    return str(device).startswith("cuda")


def duration(of: float) -> str:
    """Hours, as a reader says them."""
    return f"{of:.1f} h" if of >= 1 else f"{max(1, round(60 * of))} min"
