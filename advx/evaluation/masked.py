"""Gradients that say nothing: exactly zero or NaN where an attack asks for the way up.

Rounding, a saturated softmax or the logarithm of an underflowing probability masks the gradient: an
attack that follows it stays where it is, and the model counts as robust (Athalye et al. 2018).
"""

from torch import Tensor, nn

from advx.attacks import norms
from advx.attacks.base import Attack, untouched
from advx.attacks.objectives import Objective, log_odds
from advx.attacks.sign_search import SignSearch
from advx.attacks.strongest import Strongest
from advx.data.dataset import Split
from advx.errors import AdvxError
from advx.evaluation.slopes import slopes
from advx.evaluation.transfer import drawing, predictions
from advx.evaluation.undefined import called, no_number
from advx.models.call import UNDEFINED
from advx.notes import Note, note

WITHOUT_GRADIENT = (SignSearch, Strongest)
"""Attacks that search without a gradient, or after it."""


def follows_gradient(attack: Attack) -> bool:
    """Whether an attack moves images along the gradient of a function of the logits, or may."""
    moves = getattr(attack, "epsilon", None) != 0
    by_labels = attack.receives in ("labels", "target_classes")
    return moves and by_labels and not isinstance(attack, WITHOUT_GRADIENT)


def note_lost_gradients(
    model: nn.Module, attack: Attack, clean: Split, targets: Tensor | None = None
) -> None:
    """Note on how many examples an attack finds a gradient that is exactly zero or NaN.

    It is that of the attack's own objective, or of the log-odds where it names none; those never
    saturate, so that confident logits alone are not noted. One forward and one backward
    pass, and where something was found another forward pass.

    Args:
        model: that is attacked.
        attack: on it.
        clean: n examples, before the attack.
        targets: (n,) int64, the classes aimed at; None for the labels, to be left.
    """
    if not follows_gradient(attack):
        return
    asked = clean if targets is None else Split(clean.images, targets)
    zero, undefined = lost_gradients(model, asked, getattr(attack, "objective", log_odds))
    if zero or undefined:
        text = lost_text(called(model), zero, undefined, len(clean))
        note(Note(called(model), zero + undefined, len(clean), text))


def lost_gradients(
    model: nn.Module, split: Split, objective: Objective = log_odds
) -> tuple[int, int]:
    """How many examples have an input gradient that is exactly zero, and how many one with a NaN.

    An example whose logits hold a NaN is neither; a model that cannot be differentiated has none.
    The model, its buffers and PyTorch's generator are left as they were.

    Args:
        model: maps images to logits.
        split: n examples, with the classes that the objective is about.
        objective: what rises along the gradient.
    """
    with drawing(split.images.device), untouched(model):
        try:
            slope = slopes(model, split.images, split.labels, objective)
        except (AdvxError, RuntimeError):  # nor has an attack that got through asked for it
            return 0, 0
        undefined, zero = no_number(slope), norms.vanished(slope)
        lost = zero | undefined
        if lost.any():
            lost &= predictions(model, split.images) != UNDEFINED
    return int((zero & lost).sum()), int((undefined & lost).sum())


def lost_text(name: str, zero: int, undefined: int, examples: int) -> str:
    """What a reader must know of lost gradients, in one line."""
    counts = [(zero, "exactly zero"), (undefined, "NaN")]
    found = " and ".join(f"{what} at {count:,}" for count, what in counts if count)
    return (
        f"{name}: the input gradient is {found} of {examples:,} examples (are the outputs rounded, "
        "saturated, or logarithms of probabilities?), and an attack that follows it leaves them: "
        "the error rate says little about them; try attack=strongest, whose search needs no "
        "gradient"
    )


def at_predictions(model: nn.Module, images: Tensor) -> Split:
    """Images (n, *shape) with the classes that the model gives them, 0 where it gives none."""
    return Split(images, predictions(model, images).clamp(min=0))
