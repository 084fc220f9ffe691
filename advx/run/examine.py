"""A user's own model, tried on a few images before numbers rest on it."""

from torch import nn

from advx.data.dataset import Dataset
from advx.errors import ConfigError
from advx.evaluation.masked import at_predictions, lost_gradients, lost_text
from advx.evaluation.own_models import habits, require_slope
from advx.models.call import OWN, TRIED
from advx.run.notices import Remarks
from advx.training.recipe import Recipe


def examine(
    recipe: Recipe,
    module: nn.Module,
    data: Dataset,
    remarks: Remarks,
    *,
    attacked: bool = False,
) -> None:
    """Try a model of a user's own on a few images; what a reader must know is remarked.

    Args:
        recipe: the model's.
        module: it, trained or not.
        data: what it is trained on.
        remarks: where they are said.
        attacked: whether a gradient is needed.

    Raises:
        AdvxError: it returns probabilities, or has no gradient. If it fails later on, on more
            images for instance, the message has its name.
    """
    if not recipe.model.is_own:
        return
    test = data.test
    images = test.take(test.spaced(TRIED)).images
    name = f"{recipe.path} ({recipe.name})"
    device = next((p.device for p in module.parameters()), images.device)
    try:
        results = habits(module, images.to(device), name)
    except ConfigError as error:
        if recipe.path != "target" or recipe.random:
            raise
        results = {"probabilities": f"{error}: of a target only the class is asked for"}
    for kind, text in results.items():
        remarks.add(name, kind, text)
    if attacked:
        require_slope(module, images.to(device), name)
    if attacked and recipe.path == "model" and recipe.model.get("weights"):  # as it is attacked
        zero, undefined = lost_gradients(module, at_predictions(module, images.to(device)))
        if zero or undefined:
            remarks.add(name, "gradient", lost_text(name, zero, undefined, len(images)))
    OWN[module] = name
