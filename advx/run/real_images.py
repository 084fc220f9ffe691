"""The floor under what is measured of generated images: the same numbers for real ones."""

from collections.abc import Iterator, Sequence

from advx.config.cells import Cells, metrics_of
from advx.errors import ConfigError
from advx.evaluation.image_quality import UNITS, ImageQuality, features, image_quality
from advx.evaluation.sample_quality import NEIGHBORS, random_rows
from advx.evaluation.samples import AT_THE_END, WARNED
from advx.evaluation.transfer import error_rate
from advx.run.generated import behind_quality
from advx.run.model import Model
from advx.run.run import Run

REAL = ("training images", "validation images")


def floor_cells(suffix: str = "") -> Iterator[Cells]:
    """What `add_floor` measures; `suffix` ends the rows' names."""
    yield Cells([f"classifier{suffix}"], ["error_rate"])
    yield Cells([row + suffix for row in REAL], metrics_of(ImageQuality), always=False)


def warning_cells(rows: Sequence[str]) -> Iterator[Cells]:
    """What `warning_rates` measures of games."""
    yield Cells(rows, WARNED, always=False)
    yield Cells(rows, [AT_THE_END])


def add_floor(run: Run, classifier: Model, layer: str, samples: int, suffix: str = "") -> None:
    """Add the classifier's error, and the quality of real images, to the table.

    The classifier knows the training images; the validation images it does not know, as it does not
    know generated ones. Of so few images that a Fréchet distance is undefined there is no row.

    Args:
        run: the run.
        classifier: whose features and classes measure images.
        layer: the layer whose output is the features.
        samples: generated images of every measure, and real ones of the floor.
        suffix: ends the rows' names, where several data sets have a floor.

    Raises:
        ConfigError: too few generated images or test images for one; nothing is trained then.
    """
    count = check_floor(run, classifier, layer, samples)
    run.table.add(
        f"classifier{suffix}",
        error_rate=run.measure(error_rate, classifier, run.data.test),
        seed=None,
        n=len(run.data.test),
        note=f"store key {classifier.key}",
    )
    for row, split in zip(REAL, (run.data.train, run.data.validation), strict=True):
        images = random_rows(split.images, samples)
        if len(images) > count:
            quality = run.measure(image_quality, classifier, layer, run.data, images)
            behind = behind_quality(run.data, len(images))
            run.table.add(row + suffix, quality, seed=None, n=behind, unit=UNITS)


def check_floor(run: Run, classifier: Model, layer: str, samples: int) -> int:
    """The number of features, if there are images enough for a distance over so many.

    Several data sets are checked before anything is trained on the first.

    Raises:
        ConfigError: no such layer, or too few generated images or test images.
    """
    count = feature_count(run, classifier, layer)
    refuse_too_few(run, layer, samples, count)
    return count


def feature_count(run: Run, classifier: Model, layer: str) -> int:
    """Components of the layer's output; nothing is trained to know it.

    Raises:
        ConfigError: no such layer.
    """
    network = classifier.untrained().eval()
    return features(network, layer, run.data.test.images[:1]).shape[1]


def refuse_too_few(run: Run, layer: str, samples: int, count: int) -> None:
    """Refuse so few images that no measure is defined.

    Args:
        run: the run.
        layer: the layer whose output is the features.
        samples: generated images of every measure.
        count: of features.

    Raises:
        ConfigError: what there is too little of, and the key that changes it.
    """
    fewest = max(count, NEIGHBORS) + 1
    why = f"a Fréchet distance over the {count} features of layer={layer}"
    if samples < fewest:
        raise ConfigError(f"samples={samples}: {why} needs more; valid: from {fewest}")
    data, config = run.data, run.source.config
    if len(data.test) >= fewest:
        return
    limit = (config.get("limit") or {}).get("test")
    if limit is not None and limit <= len(data.test):
        key, advice = f"dataset.limit.test={limit}", ""
    elif config.get("training_share"):
        key = f"dataset.training_share={config['training_share']}"
        advice = ", with a smaller share or more images"
    elif "test" in config:
        key, advice = f"dataset.test={config['test']}", ""
    else:
        key, advice = f"dataset={data.name}", ", so more images"
    if run.source.config.path not in ("", "dataset"):
        key = key.replace("dataset", run.source.config.path, 1)
    raise ConfigError(
        f"{key}: leaves {len(data.test)} test images, but {why} needs more; valid: from "
        f"{fewest} test images{advice}"
    )
