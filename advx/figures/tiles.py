"""Images on a page: placed in inches, with a key to perturbations and a name for every class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from advx.figures import pyplot as plt
from advx.figures.style import PAGE_WIDTH, SMALL, page, place, spot, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNED = ("#08306b", "#8f9098", "#fee3c0")
"""From the most negative change of a pixel through none to the most positive; in gray from dark to
light too."""

FRAME = "#404040"

SLACK = 1e-6
"""How far rounding may put a pixel outside of [0, 1]."""

THUMBNAIL = 64
"""Largest side of an image that is shown small, in pixels."""


class Sheet:
    """A page whose axes and words are placed by hand.

    All places and sizes are inches; `top` counts downward from below the title. Without a finding
    there is neither title nor foot.
    """

    def __init__(
        self, height: float, *, finding: str = "", provenance: str = "", note: str = ""
    ) -> None:
        self.figure: Figure
        with styled():
            if finding:
                self.figure = page(
                    height, finding=finding, provenance=provenance, note=note, free=True
                )
            else:
                self.figure = plt.figure(figsize=(PAGE_WIDTH, height))
                self.figure.subplots_adjust(bottom=0, top=1)

    def axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """Empty axes whose upper left corner lies at (left, top)."""
        with styled():
            axis = place(self.figure, left, top, width, height)
        axis.axis("on")
        return axis

    def text(self, left: float, top: float, words: str, **style: Any) -> None:
        """Words whose upper left corner, unless `style` says otherwise, lies at (left, top)."""
        how: dict[str, Any] = {"fontsize": SMALL, "ha": "left", "va": "top"} | style
        self.figure.text(*spot(self.figure, left, top), words, **how)

    def image(
        self, left: float, top: float, side: float, image: np.ndarray, *, size: float | None = None
    ) -> "Axes":
        """A square with an image (channels, h, w) in [0, 1], clipped to it.

        With `size` it is a perturbation, of values from −size to size.
        """
        axis = self.axes(left, top, side, side)
        if size is None:
            show(axis, image)
        else:
            signed = image.mean(0) if len(image) > 1 else image[0]
            axis.imshow(signed, cmap=_map(), vmin=-size, vmax=size, interpolation="nearest")
        return bare(axis)

    def key(self, left: float, top: float, width: float, size: float, words: str) -> None:
        """The colors of a perturbation from −size to size, and what they show."""
        axis = self.axes(left, top, width, 0.09)
        axis.imshow(np.linspace(-1, 1, 256)[None], cmap=_map(), aspect="auto")
        bare(axis)
        number = f"{size:.2g}"
        for share, label in ((0, f"−{number}"), (0.5, "0"), (1, f"+{number}")):
            self.text(left + share * width, top + 0.12, label, ha="center")
        self.text(left - 0.2, top + 0.045, words, ha="right", va="center")


def _map() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", SIGNED)


def show(axis: "Axes", image: np.ndarray, **how: Any) -> None:
    """Draw an image (channels, h, w) of values in [0, 1], or of bytes."""
    shown = image / 255 if image.dtype == np.uint8 else image
    shown = shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0)
    axis.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest", **how)


def drawable(images: Any) -> bool:
    """Whether examples (n, *shape) are images of one channel, or of three."""
    return len(images.shape) == 4 and images.shape[1] in (1, 3)


def undrawn(images: Any) -> str:
    """Why there is no figure of examples (n, *shape) that are not drawable."""
    shape = list(images.shape[1:])
    return f"no figure: examples of shape {shape} are no images of one channel or of three"


def black_and_white(images: Any) -> tuple[float, float]:
    """The ends of the range in which images are drawn: 0 and 1 where all pixels lie in it.

    Otherwise their least and their largest pixel.
    """
    low, high = float(images.min()), float(images.max())
    return (0.0, 1.0) if low >= -SLACK and high <= 1 + SLACK else (low, max(high, low + SLACK))


def ends(low: float, high: float) -> str:
    """A sentence for a figure's note on a range other than [0, 1]; "" for that one."""
    return "" if (low, high) == (0, 1) else f" Black is {low:.4g}, white {high:.4g}."


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images (n, channels, h, w) in [0, 1] as bytes, every kth pixel of those above `THUMBNAIL`."""
    step = -(-max(images.shape[2:]) // THUMBNAIL)
    return (images[:, :, ::step, ::step].clip(0, 1) * 255).round().astype(np.uint8)


def bare(axis: "Axes", color: str = FRAME, line: float = 0.5) -> "Axes":
    """Without ticks, in a frame."""
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set(visible=True, edgecolor=color, linewidth=line)
    return axis


def named(class_names: Sequence[str], label: int) -> str:
    """A class's name; an answer that is no class has none."""
    return class_names[label] if 0 <= label < len(class_names) else "no class"


def confidence(probability: float) -> str:
    """In percent; nothing is called certain."""
    percent = f"{100 * probability:.1f}%"
    return "> 99.9%" if percent == "100.0%" else percent
