"""A data set as tensors, its split, its deterministic subsets and its fingerprint."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from advx.data.resize import halved
from advx.errors import ConfigError, DataError
from advx.types import PositiveInt, Shape


@dataclass(frozen=True)
class Split:
    """Images (n, *shape) float32 in [0, 1] and their labels (n,) int64.

    Attributes:
        images: of pixels, or points and rows of a table, whose numbers may lie anywhere.
        labels: their classes.
        groups: a second label of each, (n,) int64: the value of its protected attribute, or the
            domain that it comes from; None for most data sets.
    """

    images: Tensor
    labels: Tensor
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> "Split":
        """The examples at `indices` (m,) int64, in that order."""
        indices = indices.to(self.labels.device)
        groups = None if self.groups is None else self.groups[indices]
        return Split(self.images[indices], self.labels[indices], groups)

    def spaced(self, count: PositiveInt) -> Tensor:
        """Indices (count,) int64 of examples evenly spaced over the split, or of all of them.

        Not the first `count`: a split may begin with its harder examples, as MNIST's test set does.
        """
        count = min(count, len(self))
        return torch.arange(count, device=self.labels.device) * len(self) // count

    def to(self, device: torch.device | str) -> "Split":
        """The same examples on `device`."""
        groups = None if self.groups is None else self.groups.to(device)
        return Split(self.images.to(device), self.labels.to(device), groups)

    def joined(self, other: "Split") -> "Split":
        """These examples, then those of `other`; both have groups, or neither."""
        groups = None
        if self.groups is not None and other.groups is not None:
            groups = torch.cat([self.groups, other.groups])
        return Split(
            torch.cat([self.images, other.images]), torch.cat([self.labels, other.labels]), groups
        )

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the examples, order included."""
        return self.digest()[:16]

    def digest(self) -> str:
        """SHA-256 of the labels and of the images, in 8 bits where these give the same images back.

        Images that are whole gray levels, k / 255 to the last bit of float32, count as their 8
        bits. All others count as they are: half a gray level is enough to make another class.
        Groups count where there are any.
        """
        images, labels = self.images.detach().cpu().contiguous(), self.labels.cpu()
        groups = b"" if self.groups is None else _bytes(self.groups.cpu())
        if images.dtype == torch.float32:
            gray = images.mul(255).round_().to(torch.uint8)
            if torch.equal(gray.float().div_(255).view(torch.int32), images.view(torch.int32)):
                return _hashed(
                    repr(tuple(gray.shape)).encode(), _bytes(labels), _bytes(gray), groups
                )
        kind = repr((tuple(images.shape), str(images.dtype))).encode()
        points = images.dim() == 2 and images.dtype == torch.float32
        # the names of points are older than their shape's place in them
        return _hashed(_bytes(labels), _bytes(images), b"" if points else kind, groups)


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test examples with the facts that a result must carry.

    Attributes:
        name: the data set's name in `conf/dataset/`.
        classes: number of classes.
        train, validation, test: the three splits; validation may be empty.
        fingerprint: identifies the training and validation examples, order included.
        part_of: name of the data set whose training examples contain this one's, if any.
        remarks: what a reader of a result on this data must know.
        class_names: what the classes are called; their numbers where they have no other name.
        group_names: what the groups are called; empty where the examples are in none.
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    part_of: str | None = None
    remarks: tuple[str, ...] = ()
    fingerprint: str = ""
    class_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.class_names:
            object.__setattr__(self, "class_names", tuple(map(str, range(self.classes))))
        if not self.fingerprint:
            digests = self.train.digest() + self.validation.digest()
            object.__setattr__(self, "fingerprint", _named(digests))

    @property
    def input_shape(self) -> Shape:
        """Shape of one image, (channels, height, width)."""
        return tuple(self.train.images.shape[1:])

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set on `device`."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
        )

    def merged(self) -> "Dataset":
        """The training and validation examples together as the training set, no validation set."""
        train = self.train.joined(self.validation)
        empty = train.take(torch.arange(0))
        return replace(self, train=train, validation=empty, fingerprint="")

    def shrunk(self, factor: PositiveInt) -> "Dataset":
        """The images blurred and halved until their sides are `factor` (2, 4 …) times smaller.

        They are named by what they are made of: their own last bits depend on the processor.

        Raises:
            ConfigError: a side cannot be halved so often.
        """
        height, width = self.input_shape[-2:]
        if height % factor or width % factor:
            raise ConfigError(
                f"dataset={self.name}: images of {height} × {width} cannot be shrunk by {factor}"
            )

        def smaller(split: Split) -> Split:
            images = split.images
            for _ in range(factor.bit_length() - 1):
                images = halved(images)
            return replace(split, images=images)

        made = f"{self.fingerprint}, {factor} times smaller"
        return replace(
            self,
            train=smaller(self.train),
            validation=smaller(self.validation),
            test=smaller(self.test),
            fingerprint=_named(made),
        )

    def half(self, which: Literal[0, 1]) -> "Dataset":
        """One of two disjoint halves: every other training and validation example of each class.

        The test examples stay the same.
        """

        def half_of(split: Split) -> Split:
            return split.take((rank_within_class(split.labels) % 2 == which).nonzero().squeeze(1))

        return replace(
            self, train=half_of(self.train), validation=half_of(self.validation), fingerprint=""
        )


def from_arrays(
    name: str,
    images: Tensor,
    labels: Tensor,
    test_images: Tensor,
    test_labels: Tensor,
    *,
    classes: int,
    train: int,
    validation: int,
    limit: dict[str, PositiveInt] | None = None,
    remarks: tuple[str, ...] = (),
    class_names: tuple[str, ...] = (),
) -> Dataset:
    """Split images (n, *shape) in their given order: the first `train`, then `validation`.

    Images are 8-bit, or floats in [0, 1], which are taken as they are. What is given is copied.

    Raises:
        ConfigError: the split asks for more examples than there are.
        DataError: images in any other format or range, or labels (n,) that are no whole numbers.
    """
    for part, x, y in (("training", images, labels), ("test", test_images, test_labels)):
        _refuse_arrays(x, y, f"dataset={name}: its {part}")
    if train + validation > len(labels):
        raise ConfigError(
            f"dataset.train={train} and dataset.validation={validation} ask for more than the "
            f"{len(labels):,} training examples of {name}"
        )
    splits = [
        Split(_unit_range(x), y.long())
        for x, y in (
            (images[:train], labels[:train]),
            (images[train : train + validation], labels[train : train + validation]),
            (test_images, test_labels),
        )
    ]
    dataset = Dataset(
        name, classes, splits[0], splits[1], splits[2], remarks=remarks, class_names=class_names
    )
    return limited(dataset, limit)


def _refuse_arrays(images: Tensor, labels: Tensor, where: str) -> None:
    """Refuse what does not say by its format what its numbers mean.

    Raises:
        DataError: images that are neither uint8 nor floats in [0, 1], or no label for each.
    """
    for kind, values in (("images", images), ("labels", labels)):
        if not isinstance(values, Tensor):
            raise DataError(
                f"{where} {kind} are a {type(values).__name__}; valid: a tensor, as "
                "torch.from_numpy makes one of an array"
            )
    named = str(images.dtype).removeprefix("torch.")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise DataError(f"{where} images are of type {named}; valid: uint8, or floats in [0, 1]")
    if images.is_floating_point() and images.numel():
        low, high = float(images.min()), float(images.max())
        if not 0 <= low <= high <= 1:
            hint = "; divide them by 255" if low >= 0 and 2 < high <= 255 else ""
            raise DataError(
                f"{where} images of type {named} lie in {low:g} … {high:g}; valid: floats in "
                f"[0, 1], or uint8{hint}"
            )
    if labels.is_floating_point() or labels.is_complex() or labels.shape != images.shape[:1]:
        named = str(labels.dtype).removeprefix("torch.")
        raise DataError(
            f"{where} labels are of type {named} and shape {tuple(labels.shape)}; valid: whole "
            f"numbers ({len(images)},), one for each image"
        )


def _unit_range(images: Tensor) -> Tensor:
    """A float32 copy in [0, 1] of images in 8 bits, or of floats in it."""
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    return images.detach().to(torch.float32, copy=True)


def limited(dataset: Dataset, limit: dict[str, PositiveInt] | None) -> Dataset:
    """The stratified, deterministic subset with at most `limit[split]` examples of each split.

    A split that has no more is taken whole: a scale's limits stand whatever the data.
    """
    if not limit:
        return dataset
    unknown = set(limit) - {"train", "validation", "test"}
    if unknown:
        raise ConfigError(
            f"dataset.limit.{min(unknown)}: unknown split; choose among train, validation, test"
        )

    def limited_part(name: str) -> Split:
        split: Split = getattr(dataset, name)
        return stratified(split, limit[name]) if limit.get(name, len(split)) < len(split) else split

    return replace(
        dataset,
        train=limited_part("train"),
        validation=limited_part("validation"),
        test=limited_part("test"),
        fingerprint="",
    )


def stratified(split: Split, count: int) -> Split:
    """The first examples of each class, in their order, in the proportions of the whole split.

    Raises:
        ConfigError: `count` is larger than the split.
    """
    if count > len(split):
        raise ConfigError(f"count={count}: the split has only {len(split):,} examples")
    sizes = torch.bincount(split.labels)
    rank = rank_within_class(split.labels)
    share = sizes.double() * count / len(split)
    quota = share.floor().long()
    largest_remainders = torch.argsort(share - quota, descending=True, stable=True)
    quota[largest_remainders[: count - int(quota.sum())]] += 1
    chosen = rank < quota[split.labels]
    return split.take(chosen.nonzero().squeeze(1))


def _named(content: str) -> str:
    """The fingerprint of a text that identifies training and validation examples."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _hashed(*parts: bytes | memoryview) -> str:
    """SHA-256 of bytes one after the other."""
    content = hashlib.sha256()
    for part in parts:
        content.update(part)
    return content.hexdigest()


def _bytes(x: Tensor) -> memoryview:
    """Every bit of a tensor of any number format."""
    return x.contiguous().flatten().view(torch.uint8).numpy().data


def rank_within_class(labels: Tensor) -> Tensor:
    """How many earlier examples have the same label: (n,) int64 to (n,) int64."""
    rank = torch.empty_like(labels)
    for label in labels.unique():
        members = labels == label
        rank[members] = torch.arange(int(members.sum()), device=labels.device)
    return rank


def one_of_each_class(labels: Tensor, count: int) -> Tensor:
    """Indices (count,) of the first example of every class, then the second of every class, ..."""
    by_class_then_rank = rank_within_class(labels) * (int(labels.max()) + 1) + labels
    return by_class_then_rank.argsort()[:count]
