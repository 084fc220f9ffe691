"""Networks that the page itself computes with: weights as safetensors, brought to 8 bits each.

The files are those of `advx store export KEY FILE --half`. What they say of the model and its
training, not their names, tells which network each is. A row of weights has one scale, symmetrical:
w ≈ scale · q, with whole q from −127 to 127; biases stay as they are.
"""

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from advx.errors import reason

SUFFIX = ".safetensors"

NAME = "advx"
"""Of the text in the file that says what made it."""

PIXELS, CLASSES = 784, 10

ALPHABET = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"&<')
DENSE_BITS = 13
"""Of `dense` text: its characters, which end no element; and the bits that two of them hold."""

LARGEST = 127
"""Of a weight in 8 bits."""

SOFTMAX = "advx.models.softmax_regression.SoftmaxRegression"
MAXOUT = "advx.models.maxout.MaxoutNetwork"
PLAIN = "advx.defenses.none.NoDefense"
SMOOTHING = "advx.defenses.label_smoothing.LabelSmoothing"
ADVERSARIAL = "advx.defenses.adversarial_training.AdversarialTraining"

KINDS: Mapping[str, tuple[str, str, str]] = {
    "softmax": ("softmax regression", SOFTMAX, PLAIN),
    "plain": ("maxout network", MAXOUT, PLAIN),
    "smoothed": ("maxout network, labels smoothed", MAXOUT, SMOOTHING),
    "adversarial": ("maxout network, adversarially trained", MAXOUT, ADVERSARIAL),
}
"""Of each network its name for a reader, its model and its defense."""

CHAPTERS = {"perturbation": "adversarial", "norm": "linf", "steps": 1, "random_start": False}
"""Arguments of adversarial training as the chapter has it; others make another network."""


class Refused(Exception):
    """A file that holds none of the networks: why, in one line."""


@dataclass(frozen=True)
class Layer:
    """An affine layer under a maximum.

    Attributes:
        weights: (rows, columns) int8; row p · units + u is piece p of unit u.
        scales, bias: (rows,) float32.
        pieces: rows under each maximum; 1 for none.
    """

    weights: np.ndarray
    scales: np.ndarray
    bias: np.ndarray
    pieces: int

    @property
    def dequantized(self) -> np.ndarray:
        """The weights that the page computes with, (rows, columns) float32."""
        return self.weights.astype(np.float32) * self.scales[:, None]

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads, but for the weights."""
        rows, columns = self.weights.shape
        return {
            "rows": rows,
            "columns": columns,
            "pieces": self.pieces,
            "scales": text_of(self.scales.astype("<f4")),
            "bias": text_of(self.bias.astype("<f4")),
        }


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes:
        kind: which of `KINDS`.
        path: of its file.
        told: what its file says of it.
        layers: from the pixels to the logits.
        targets: of its training cost, for the correct class and for each other one.
    """

    kind: str
    path: Path
    told: Mapping[str, str]
    layers: Sequence[Layer]
    targets: tuple[float, float]

    @property
    def name(self) -> str:
        """For a reader."""
        return KINDS[self.kind][0]

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads, but for the weights."""
        return {
            "targets": list(self.targets),
            "bytes": len(self.deflated),
            "layers": [layer.data for layer in self.layers],
        }

    @cached_property
    def deflated(self) -> bytes:
        """The weights of all layers, compressed; column after column is smaller than rows."""
        return zlib.compress(b"".join(layer.weights.T.tobytes() for layer in self.layers), 9)


@dataclass(frozen=True)
class Networks:
    """What a folder holds.

    Attributes:
        folder: of the files; None where none is named.
        found: networks by their kind.
        refused: files that hold none, each with its reason.
    """

    folder: Path | None
    found: Mapping[str, Network]
    refused: Sequence[str]

    @cached_property
    def missing(self) -> str:
        """Why there are not all networks, in one line; empty where there are."""
        if self.folder is None:
            return "no folder of models is named"
        lacking = [name for kind, (name, _, _) in KINDS.items() if kind not in self.found]
        if not lacking:
            return ""
        if len(lacking) == len(KINDS):
            return f"{self.folder} holds none of its networks"
        return f"{self.folder} lacks: {'; '.join(lacking)}"


def networks_in(folder: Path | None) -> Networks:
    """The networks in a folder's files; of two files of the same network the first by name."""
    found: dict[str, Network] = {}
    refused = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder else []:
        try:
            network = network_of(path)
            if network.kind in found:
                raise Refused(f"{path}: the {network.name} is in {found[network.kind].path.name}")
        except Refused as error:
            refused.append(str(error))
        else:
            found[network.kind] = network
    return Networks(folder, found, refused)


def network_of(path: Path) -> Network:
    """The network in a file.

    Raises:
        Refused: it holds none of `KINDS`, or cannot be read.
    """
    try:
        with safe_open(path, framework="np") as file:
            told = json.loads((file.metadata() or {}).get(NAME, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        model, defense = (json.loads(told.get(key, "{}")) for key in ("model", "defense"))
        kind = kind_of(model, defense)
    except (OSError, SafetensorError, ValueError, AttributeError, TypeError) as error:
        raise Refused(f"{path}: {reason(error)}; valid: what advx store export writes") from error
    if kind is None:
        what = ", ".join(
            str(one.get("_target_", "of no name")).rpartition(".")[2] for one in (model, defense)
        )
        raise Refused(f"{path}: {what}; valid: {', '.join(name for name, _, _ in KINDS.values())}")
    return Network(kind, path, told, layers_of(tensors, path), targets_of(kind, defense))


def kind_of(model: Mapping[str, Any], defense: Mapping[str, Any]) -> str | None:
    """Which network a model and its defense make; None where it is another one."""
    named = model.get("_target_"), defense.get("_target_")
    for kind, (_, *targets) in KINDS.items():
        if named == tuple(targets):
            other = any(defense.get(key, value) != value for key, value in CHAPTERS.items())
            return None if other and kind == "adversarial" else kind
    return None


def layers_of(tensors: Mapping[str, np.ndarray], path: Path) -> list[Layer]:
    """The layers of a state dict, in 8 bits.

    Raises:
        Refused: they do not lead from digits to ten classes.
    """
    names = sorted(
        (name.removesuffix(".weight") for name in tensors if name.endswith(".weight")),
        key=lambda name: [int(part) for part in re.findall(r"\d+", name)],
    )
    pairs = [(tensors[f"{name}.weight"], tensors.get(f"{name}.bias")) for name in names]
    widths = [*(weight.shape[-1] for weight, _ in pairs), CLASSES]
    fits = (
        len(tensors) == 2 * len(pairs)
        and widths[0] == PIXELS
        and all(
            weight.ndim == 2
            and bias is not None
            and bias.shape == weight.shape[:1]
            and len(weight) % units == 0
            and np.isfinite(weight).all()
            and np.isfinite(bias).all()
            for (weight, bias), units in zip(pairs, widths[1:], strict=True)
        )
        and len(pairs[-1][0]) == CLASSES
    )
    if not fits:
        raise Refused(
            f"{path}: its weights do not lead from {PIXELS} pixels to {CLASSES} classes; valid: "
            "numbers of affine layers, the pieces of a maximum in the outer axis"
        )
    return [
        quantized(weight, bias, len(weight) // units)
        for (weight, bias), units in zip(pairs, widths[1:], strict=True)
        if bias is not None
    ]


def quantized(weight: np.ndarray, bias: np.ndarray, pieces: int) -> Layer:
    """A layer with its weights (rows, columns) in 8 bits."""
    weight = weight.astype(np.float32)
    largest = np.abs(weight).max(1)
    scales = (np.where(largest > 0, largest, 1) / LARGEST).astype(np.float32)
    whole = np.clip(np.rint(weight / scales[:, None]), -LARGEST, LARGEST)
    return Layer(whole.astype(np.int8), scales, bias.astype(np.float32), pieces)


def targets_of(kind: str, defense: Mapping[str, Any]) -> tuple[float, float]:
    """The targets of the training cost, for the correct class and for each other one."""
    if kind != "smoothed":
        return 1.0, 0.0
    import torch  # only where there is such a network

    from advx.defenses.label_smoothing import LabelSmoothing, smoothed_targets

    made = LabelSmoothing(**{k: v for k, v in defense.items() if not k.startswith("_")})
    targets = smoothed_targets(torch.tensor([0]), CLASSES, made.smoothing, made.convention)
    return float(targets[0, 0]), float(targets[0, 1])


def dense(content: bytes) -> str:
    """Bytes as text to stand in a `<script>`: two of 91 characters for 13 bits, 1.23 for a byte.

    The lowest bits come first, in the bytes and in the characters; base64 takes 1.33.
    """
    bits = np.unpackbits(np.frombuffer(content, np.uint8), bitorder="little")
    padded = np.concatenate([bits, np.zeros(-len(bits) % DENSE_BITS, np.uint8)])
    numbers = padded.reshape(-1, DENSE_BITS) @ (1 << np.arange(DENSE_BITS))
    digits = np.stack([numbers % len(ALPHABET), numbers // len(ALPHABET)], 1).ravel()
    return np.frombuffer(ALPHABET.encode(), np.uint8)[digits].tobytes().decode("ascii")


def text_of(array: np.ndarray) -> str:
    """The bytes of an array, as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
