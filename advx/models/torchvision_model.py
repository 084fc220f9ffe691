"""A network of torchvision's, with its ImageNet weights and its normalization inside."""

import difflib
from urllib.error import URLError

import torch
from torch import Tensor

from advx.errors import ConfigError, DataError
from advx.models.base import Classifier
from advx.types import Shape


class TorchvisionClassifier(Classifier):
    """One of `torchvision.models.list_models()`, trained on ImageNet, on images in [0, 1].

    Args:
        architecture: e.g. `googlenet`, the network of Figure 1.1.

    Attributes:
        input_shape: of the images it was trained on, (3, height, width).
        resized: shorter side that an image is brought to before its middle is cut out.
        class_names: of the 1,000 classes.

    Raises:
        ConfigError: there is no such network.
        DataError: its weights are neither cached nor to be had.
    """

    mean: Tensor
    deviation: Tensor

    stands_alone = True
    """Knows its own images, whatever the data set of the run."""

    def __init__(self, *, architecture: str = "googlenet") -> None:
        import torchvision

        super().__init__()
        known = torchvision.models.list_models(module=torchvision.models)
        if architecture not in known:
            near = difflib.get_close_matches(architecture, known, 3) or ["googlenet", "resnet50"]
            raise ConfigError(
                f"model.name={architecture}: torchvision has no such classifier; valid: e.g. "
                f"{', '.join(near)}"
            )
        weights = torchvision.models.get_model_weights(architecture).DEFAULT
        preset = weights.transforms()
        try:
            self.network = torchvision.models.get_model(architecture, weights=weights)
        except (URLError, OSError, RuntimeError) as error:
            raise DataError(
                f"model.name={architecture}: its weights are not in {torch.hub.get_dir()}/"
                f"checkpoints and cannot be fetched from {weights.url} ({error}); download that "
                "file there by hand"
            ) from error
        self.input_shape: Shape = (3, preset.crop_size[0], preset.crop_size[0])
        self.resized = preset.resize_size[0]
        self.class_names = tuple(weights.meta["categories"])
        self.register_buffer("mean", torch.tensor(preset.mean).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(preset.std).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, 3, height, width) in [0, 1] to logits (batch, 1000)."""
        return self.network((x - self.mean) / self.deviation)
