"""The rows that a training learns from, and the rows that judge it."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from alarmnet import InputError
from alarmnet.datasets import Images, ScenarioPart, Table, dataset_info, make_scenario
from experiments.tables import PaperTable, Row

AS_THEY_STAND = ("Time", "hispanic origin")
"""Columns that the published figures learned from, but that are left out or read differently by default: the credit
cards' seconds since the first row, and census-income's NA, which is an origin."""


def as_they_stand(X: object) -> list[str]:
    """Give the columns of `AS_THEY_STAND` that a table has, for `TableEncoder`'s ``keep``."""
    return [name for name in AS_THEY_STAND if name in getattr(X, "column_names", ())]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that a training needs.

    Attributes
    ----------
    train
        Normal rows and the known anomalies.
    validation, test
        Parts by row of the paper's table, since rows that share a training differ in their anomalies. There is no
        validation part if its rows are learned from too.
    categories
        The values of each string column over the whole data set; None if they are learned from `train`.
    """

    train: ScenarioPart
    validation: dict[str, ScenarioPart]
    test: dict[str, ScenarioPart]
    categories: dict[str, tuple[str, ...]] | None


def _by_scenario(table: PaperTable, row: Row, *, known: int | None, seed: int) -> Rows:
    """The A3 paper's split, 80:5:15 or an official test part, and its draw of known anomalies."""
    if known is None:
        raise SystemExit(f"{table.name} limits the known anomalies: say how many, as in --known 100")
    data = {other.name: make_scenario(other.scenario, known=known, seed=seed) for other in table.sharing(row)}
    own = data[row.name]
    return Rows(
        own.train,
        validation={name: part.validation for name, part in data.items()},
        test={name: part.test for name, part in data.items()},
        categories=own.categories,
    )


def _distinct_rows(table: Table) -> NDArray[np.int64]:
    frame = table.frame.to_pandas().assign(_class=table.classes).drop_duplicates()
    return np.asarray(frame.index, dtype=np.int64)


def _stratified(table: PaperTable, row: Row, *, known: int | None, seed: int) -> Rows:
    """The E2E-ConvA3 paper's split, 8:1:1, of distinct rows or of the official training images.

    The training part is the first nine tenths, since detectors hold rows out themselves. `known` is the number of
    known anomalies left in it.
    """
    data = dataset_info(row.data).loader()
    if isinstance(data, Images):
        images, classes = data.train_images, np.array(data.class_names)[data.train_labels]
        X = images.transpose(0, 3, 1, 2) if images.ndim == 4 else images
    else:
        rows = _distinct_rows(data)
        X, classes = data.frame.take(rows), data.classes[rows]
    anomaly = (~np.isin(classes, row.normal)).astype(np.int64)

    def part(index: NDArray[np.int64]) -> ScenarioPart:
        taken = X[index] if isinstance(X, np.ndarray) else X.take(index)
        return ScenarioPart(taken, anomaly[index], classes[index], index)

    learned, test = train_test_split(
        np.arange(len(anomaly)), test_size=0.1, stratify=anomaly, random_state=seed
    )
    if known is not None:
        anomalies = learned[anomaly[learned] == 1]
        if known > len(anomalies):
            raise InputError(
                f"{row.data} has {len(anomalies)} anomalies to learn from, fewer than known={known}",
                code="too_many_known",
            )
        kept = np.random.default_rng(seed).permutation(anomalies)[:known]
        learned = np.sort(np.concatenate([learned[anomaly[learned] == 0], kept]))
    return Rows(part(learned), validation={}, test={row.name: part(test)}, categories=None)


SPLITS = {"80:5:15": _by_scenario, "8:1:1": _stratified}


def rows_of(table: PaperTable, row: Row, *, known: int | None, seed: int) -> Rows:
    """Load and split the data of a row that has a training of its own.

    Raises
    ------
    InputError
        The data is not at hand, or has fewer anomalies than `known`.
    """
    return SPLITS[table.split](table, row, known=known, seed=seed)


def data_hashes(name: str) -> dict[str, str]:
    """SHA-256 of each file of a data set; for CIFAR-10, of the training images, whose files have many forms."""
    info = dataset_info(name)
    if name == "cifar10" and isinstance(data := info.loader(), Images):
        return {"training images": hashlib.sha256(data.train_images.tobytes()).hexdigest()}
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in info.paths()}
