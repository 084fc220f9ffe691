"""Tables: a column to predict, a protected column, and all others encoded as numbers.

    a column of numbers    standardized by the mean and the deviation of the training rows; a
                           missing value becomes the mean, and a column of its own says that it
                           was missing
    any other column       one column of 0 and 1 for each value in the training rows, the missing
                           value being one of them; a value that training has not seen is all zeros

The target becomes the label, the protected column the group, and neither is among the inputs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from advx.data.dataset import Dataset, Split, limited
from advx.errors import ConfigError, DataError, nearest, reason
from advx.types import NonNegativeInt, PositiveInt, Share

MISSING = "?"
"""What a missing value is called, and one of the ways in which a file spells it."""

LARGEST = float(np.finfo(np.float32).max)
"""Of the numbers in a column, as they are and standardized."""

MOST = 100
"""Values of a target or of a protected column: with more, it is a number or a name."""


def load(
    *,
    path: str,
    target: str,
    protected: str,
    categorical: tuple[str, ...] = (),
    training_share: Share = 0.6,
    validation_share: Share = 0.2,
    seed: NonNegativeInt = 0,
    limit: dict[str, PositiveInt] | None = None,
) -> Dataset:
    """A table of one's own: rows (n, d), classes of the target, groups of the protected column.

    Args:
        path: a CSV file, whose first line names the columns.
        target: the column to predict.
        protected: the column that is to be hidden; it is no input.
        categorical: columns whose numbers are only names, as postal codes are.
        training_share: of the rows, drawn at random.
        validation_share: of the rows; what is left is for the test.
        seed: decides which rows are which.
        limit: largest number of rows of each split, stratified.

    Raises:
        ConfigError: no such column, or one that cannot be predicted or protected.
        DataError: the file cannot be read.
    """
    try:
        table = pd.read_csv(path, dtype=str, skipinitialspace=True, na_values=[MISSING])
    except (OSError, ValueError) as error:
        raise DataError(f"dataset.path={path}: cannot be read ({reason(error)})") from error
    if training_share + validation_share >= 1:
        raise ConfigError(
            f"dataset.training_share={training_share} and dataset.validation_share="
            f"{validation_share} leave no rows for the test; valid: a sum below 1"
        )
    for key, column in (("target", target), ("protected", protected)):
        refuse_unknown(f"dataset.{key}={column}", column, table)
    for column in categorical:
        refuse_unknown(f"dataset.categorical={column}", column, table)
    table, remarks = complete(table, target, protected)
    order = np.random.default_rng(seed).permutation(len(table))
    first, second = np.cumsum([training_share, validation_share]) * len(table)
    parts = np.split(order, [round(first), round(second)])
    return encoded(
        Path(path).stem,
        table,
        parts,
        target,
        protected,
        categorical,
        remarks=remarks,
        limit=limit,
        where=f"dataset.path={path}",
    )


def refuse_unknown(key: str, column: str, table: pd.DataFrame) -> None:
    """Refuse a column that the table does not have.

    Raises:
        ConfigError: `key`, and the nearest column.
    """
    if column not in table.columns:
        raise ConfigError(f"{key}: no such column; {nearest(column, table.columns)}")


def complete(
    table: pd.DataFrame, target: str, protected: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows whose target and protected value are known, and a remark on the others.

    Each keeps its place in the file as its index.
    """
    known = table[[target, protected]].notna().all(axis=1)
    lost = int((~known).sum())
    remark = f"{lost:,} rows without {target} or {protected} are left out"
    return table[known], (remark,) if lost else ()


def encoded(
    name: str,
    table: pd.DataFrame,
    parts: list[np.ndarray],
    target: str,
    protected: str,
    categorical: tuple[str, ...] = (),
    *,
    remarks: tuple[str, ...] = (),
    limit: dict[str, PositiveInt] | None = None,
    where: str = "",
) -> Dataset:
    """A data set of a table of texts, missing ones being NaN.

    Args:
        name: of the data set.
        table: complete in the target and in the protected column.
        parts: row numbers of the training, validation and test examples.
        target: the column to predict.
        protected: the column that is to be hidden.
        categorical: columns whose numbers are only names.
        remarks: what a reader of a result must know.
        limit: largest number of rows of each split, stratified.
        where: begins the message of an error; the data set by default.

    Raises:
        DataError: a column of numbers holds something else.
        ConfigError: the target and the protected column are the same one, or one of them has one
            value only, or too many.
    """
    if target == protected:
        raise ConfigError(f"dataset.protected={protected}: is the target; valid: any other column")
    labels, classes = codes(table[target], f"dataset.target={target}")
    groups, names = codes(table[protected], f"dataset.protected={protected}")
    others = table.drop(columns=[target, protected])
    if others.columns.empty:
        raise ConfigError(f"dataset.target={target}: no column is left to predict it from")
    where = where or f"dataset={name}"
    rows = Encoding.of(others.iloc[parts[0]], categorical, where).apply(others, where)
    whole = Split(rows, labels, groups)
    train, validation, test = (whole.take(torch.from_numpy(part)) for part in parts)
    data = Dataset(
        name,
        len(classes),
        train,
        validation,
        test,
        remarks=remarks,
        class_names=classes,
        group_names=names,
    )
    return limited(data, limit)


def codes(column: pd.Series, key: str) -> tuple[Tensor, tuple[str, ...]]:
    """The place (n,) int64 of each value among the sorted ones, and those.

    Raises:
        ConfigError: there is one only, or there are too many.
    """
    values = sorted(column.unique())
    if len(values) < 2:
        raise ConfigError(
            f"{key}: has one value only, {''.join(values)}; valid: a column of two or more"
        )
    if len(values) > MOST:
        raise ConfigError(
            f"{key}: has {len(values):,} different values; valid: a column of 2 … {MOST}"
        )
    places = pd.Categorical(column, categories=values).codes
    return torch.from_numpy(places.astype(np.int64)), tuple(values)


def numbers(column: pd.Series, where: str) -> pd.Series:
    """A column of texts as float64, missing ones being NaN.

    Raises:
        DataError: one is no number, infinite, or beyond float32; the message begins with `where`.
    """
    found = pd.to_numeric(column, errors="coerce").astype(np.float64)
    _refuse_first(column, (found.isna() & column.notna()) | (found.abs() > LARGEST), where)
    return found


def _refuse_first(column: pd.Series, wrong: pd.Series, where: str) -> None:
    """Refuse a column of numbers in which a value cannot be used.

    Raises:
        DataError: some are `wrong`; the first one's column and row are named.
    """
    if wrong.any():
        row = wrong.idxmax()
        raise DataError(
            f"{where}: column {column.name}, row {row + 1}: {column[row]}; valid in a column of "
            f"numbers: a number that float32 holds, or nothing "
            f"(dataset.categorical=[{column.name}] where they are only names)"
        )


@dataclass(frozen=True)
class Encoding:
    """How columns become numbers, as the training rows decided.

    Attributes:
        moments: mean and deviation of each column of numbers, by its name.
        values: of each other column, by its name.
        gaps: columns of numbers in which the training rows miss some.
    """

    moments: dict[str, tuple[float, float]]
    values: dict[str, list[str]]
    gaps: list[str]

    @classmethod
    def of(
        cls, table: pd.DataFrame, categorical: tuple[str, ...] = (), where: str = "dataset"
    ) -> "Encoding":
        """The encoding that training rows decide.

        Args:
            table: of texts, missing ones being NaN; its index is each row's place in the file.
            categorical: columns whose numbers are only names.
            where: begins the message of an error.

        Raises:
            DataError: a number that is infinite, or beyond float32.
        """
        moments, values, gaps = {}, {}, []
        for name, column in table.items():
            known = pd.to_numeric(column.dropna(), errors="coerce")
            if name in categorical or known.isna().any() or known.empty:
                values[str(name)] = sorted(column.fillna(MISSING).unique())
                continue
            known = numbers(column, where).dropna()
            moments[str(name)] = (float(known.mean()), float(known.std(ddof=0)) or 1.0)
            if len(known) < len(column):
                gaps.append(str(name))
        return cls(moments, values, gaps)

    @property
    def names(self) -> list[str]:
        """What the encoded columns are called, in their order."""
        of_values = [f"{name}={value}" for name, all_ in self.values.items() for value in all_]
        return [*self.moments, *(f"{name}={MISSING}" for name in self.gaps), *of_values]

    def apply(self, table: pd.DataFrame, where: str = "dataset") -> Tensor:
        """A table with these columns to inputs (n, d) float32; numbers first.

        Raises:
            DataError: a column of numbers holds something else, or one beyond float32.
        """
        standard = []
        for name, (mean, deviation) in self.moments.items():
            scaled = (numbers(table[name], where) - mean) / deviation
            _refuse_first(table[name], scaled.abs() > LARGEST, where)
            standard.append(scaled.fillna(0))
        absent = [table[name].isna() for name in self.gaps]
        one_hot = [
            table[name].fillna(MISSING) == value
            for name, values in self.values.items()
            for value in values
        ]
        columns = [np.asarray(x, dtype=np.float32) for x in (*standard, *absent, *one_hot)]
        return torch.from_numpy(np.stack(columns, axis=1))
