"""Two data sets as the source and the target of a domain adaptation.

The training examples of both are joined; groups are domains, 0 the source and 1 the target. Labels
of the target's training examples are hidden: they are −1, which no loss takes. The validation
examples are the source's, the test examples the target's: whatever is chosen is chosen on the
source, and the target's labels are first looked at by the last measurement.
"""

from dataclasses import replace

import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split
from advx.errors import ConfigError

SOURCE, TARGET = 0, 1
HIDDEN = -1
"""Label of a target example in training."""


def pair(source: Dataset, target: Dataset) -> Dataset:
    """Source and target as one data set; gray images become color ones beside color images.

    Raises:
        ConfigError: they have images of different shapes, or different classes.
    """
    source, target = alike(source, target)
    hidden = replace(target.train, labels=torch.full_like(target.train.labels, HIDDEN))
    return Dataset(
        f"{source.name} -> {target.name}",
        source.classes,
        of_domain(source.train, SOURCE).joined(of_domain(hidden, TARGET)),
        of_domain(source.validation, SOURCE),
        of_domain(target.test, TARGET),
        remarks=tuple(dict.fromkeys((*source.remarks, *target.remarks))),
        class_names=source.class_names,
        group_names=("source", "target"),
    )


def alike(source: Dataset, target: Dataset) -> tuple[Dataset, Dataset]:
    """The two with images of one shape; gray ones in color where the other's are.

    Raises:
        ConfigError: see `pair`.
    """
    if source.classes != target.classes or source.class_names != target.class_names:
        raise ConfigError(
            f"target={target.name}: {target.classes} classes ({few(target.class_names)}), but "
            f"source={source.name} has {source.classes} ({few(source.class_names)}); valid: a "
            "data set with the same classes"
        )
    if 3 in (source.input_shape[0], target.input_shape[0]):
        source, target = in_color(source), in_color(target)
    if source.input_shape != target.input_shape:
        raise ConfigError(
            f"target={target.name}: images {target.input_shape}, but source={source.name} has "
            f"{source.input_shape}; valid: a data set of the same shape"
        )
    return source, target


def of_domain(split: Split, domain: int) -> Split:
    """The same examples, as those of a domain."""
    return replace(split, groups=torch.full_like(split.labels, domain))


def in_color(data: Dataset) -> Dataset:
    """Gray images (n, 1, h, w) three times, (n, 3, h, w); others as they are."""
    if data.input_shape[0] != 1:
        return data

    def colored(split: Split) -> Split:
        images: Tensor = split.images.repeat(1, 3, 1, 1)
        return replace(split, images=images)

    return replace(
        data,
        train=colored(data.train),
        validation=colored(data.validation),
        test=colored(data.test),
        fingerprint="",
    )


def few(names: tuple[str, ...]) -> str:
    """The first of some names."""
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
