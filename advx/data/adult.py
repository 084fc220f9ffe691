"""Adult: the income of 48,842 adults of the census of 1994, over or under 50,000 dollars a year.

The 32,561 training rows are split in their given order, the last 6,000 for validation; the 16,281
test rows are the publisher's. Fourteen columns: six of numbers, eight of categories, of which
three have missing values. Source: Becker and Kohavi (1996), UCI Machine Learning Repository.
"""

import shutil
from pathlib import Path
from typing import Literal
from urllib.request import urlopen

import numpy as np
import pandas as pd

from advx.data import files
from advx.data.dataset import Dataset
from advx.data.table import MISSING, complete, encoded, refuse_unknown
from advx.errors import ConfigError
from advx.text_files import replacing
from advx.types import NonNegativeInt, PositiveInt

NAME = "adult"
SOURCE = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"
PUBLISHED = {
    "adult.data": "5d7c39d7b8804f071cdd1f2a7c460872",
    "adult.test": "35238206dfdf7f1fe215bbb874adecdc",
}
"""The two files and their MD5."""

TARGET = "income"
COLUMNS = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "gender",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    TARGET,
]
"""The publisher's columns, in their order; `gender` is `sex` there."""


def load(
    *,
    data_dir: str | None = None,
    digests: str | None = None,
    protected: str = "gender",
    missing: Literal["category", "drop"] = "category",
    train: PositiveInt = 26_561,
    validation: NonNegativeInt = 6_000,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """The census's rows (n, d): label 1 for an income over 50,000, group of the protected column.

    Args:
        data_dir: folder with `adult/adult.data` and `adult/adult.test`; may be read-only.
        digests: JSON file with other MD5 digests to accept.
        protected: the column that is to be hidden; it is no input.
        missing: whether a missing value is a category of its own, or its row is dropped.
        train: number of leading training rows to train on.
        validation: number of training rows after those, for validation.
        limit: largest number of rows of each split, stratified.

    Raises:
        ConfigError: no such column, or the split asks for more rows than there are.
        DataError: files missing and not downloadable, or with another digest.
    """
    accepted = files.accepted_digests(digests)
    root = found(data_dir)
    others = sum(
        files.verify(root / NAME / file, NAME, md5, accepted) for file, md5 in PUBLISHED.items()
    )
    training, test = (rows(root / NAME / file) for file in PUBLISHED)
    refuse_unknown(f"dataset.protected={protected}", protected, training.drop(columns=TARGET))
    remarks = files.accepted_remark(others, digests)
    if missing == "drop":
        training, test = training.dropna(), test.dropna()
    training, _ = complete(training, TARGET, protected)
    test, _ = complete(test, TARGET, protected)
    if train + validation > len(training):
        raise ConfigError(
            f"dataset.train={train} and dataset.validation={validation} ask for more than the "
            f"{len(training):,} training rows of {NAME}"
        )
    table = pd.concat([training, test], ignore_index=True)
    parts = [
        np.arange(train),
        np.arange(train, train + validation),
        np.arange(len(training), len(table)),
    ]
    return encoded(NAME, table, parts, TARGET, protected, remarks=remarks, limit=limit)


def rows(path: Path) -> pd.DataFrame:
    """The rows of one file as texts, missing ones NaN; the test file's labels lose their stop."""
    table = pd.read_csv(
        path,
        names=COLUMNS,
        dtype=str,
        skipinitialspace=True,
        keep_default_na=False,
        na_values=[MISSING],
        comment="|",  # the test file's first line
    )
    table[TARGET] = table[TARGET].str.rstrip(".")
    return table


def found(data_dir: str | None) -> Path:
    """The folder that holds `adult/`, downloaded where there is none.

    Raises:
        DataError: the files are nowhere, and cannot be downloaded.
    """
    for root in files.search_path(data_dir):
        if all((root / NAME / file).exists() for file in PUBLISHED):
            return root
    return files.download(
        NAME, list(PUBLISHED), data_dir, fetch, source=SOURCE, instead="dataset=hiring"
    )


def fetch(root: Path) -> None:
    """Download both files into `root/adult`."""
    for file in PUBLISHED:
        target = root / NAME / file
        target.parent.mkdir(parents=True, exist_ok=True)
        with urlopen(f"{SOURCE}/{file}") as answer, replacing(target) as stream:
            shutil.copyfileobj(answer, stream)
