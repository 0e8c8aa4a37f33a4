"""Which classes are normal, which anomalies are known in training, and which occur in the test.

Contains the experiments of the A3 paper's Table 1; your own `Scenario` works the same way.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.random_streams import numpy_generator
from alarmnet.datasets.base import Images, Table
from alarmnet.datasets.registry import dataset_info
from alarmnet.errors import InputError

VALIDATION_SHARE = 0.05
TEST_SHARE = 0.15

Features: TypeAlias = pa.Table | NDArray[np.uint8]


@dataclass(frozen=True)
class Scenario:
    """One experiment on a public data set, by the groups of its classes.

    Attributes
    ----------
    name
        The paper's number, such as ``"2c"``.
    dataset
        A name of `DATASETS`.
    normal
        The groups that count as normal.
    train_anomalies
        The groups the known anomalies are drawn from; empty where none is known.
    test_anomalies
        The groups that are anomalies in validation and test.
    without_columns
        Features that are left out.

    Examples
    --------
    >>> Scenario("mine", "fashion-mnist", ("Shirt",), ("Coat",), ("Coat", "Bag")).normal
    ('Shirt',)
    """

    name: str
    dataset: str
    normal: tuple[str, ...]
    train_anomalies: tuple[str, ...]
    test_anomalies: tuple[str, ...]
    without_columns: tuple[str, ...] = ()


_LOW_DIGITS, _HIGH_DIGITS, _DIGITS = tuple("012345"), tuple("456789"), tuple("0123456789")
_FIRST_LETTERS, _LAST_LETTERS = tuple("ABCDE"), tuple("VWXYZ")
_LETTERS = "mnist-and-emnist-letters"
_IDS2018 = "cse-cic-ids2018-without-ddos"
_NO_BOT, _NO_BRUTE_FORCE = ("BruteForce", "Web", "DoS", "Infiltration"), ("Bot", "Infiltration", "Web", "DoS")
_DOS_PROBE, _R2L_U2R = ("DoS", "Probe"), ("R2L", "U2R")

A3_SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("1a", "mnist", _LOW_DIGITS, ("6", "7"), ("6", "7")),
        Scenario("1b", "mnist", _HIGH_DIGITS, ("0", "1"), ("0", "1")),
        Scenario("1c", "nsl-kdd", ("normal",), _DOS_PROBE, _DOS_PROBE),
        Scenario("1d", "nsl-kdd", ("normal",), _R2L_U2R, _R2L_U2R),
        Scenario("1e", _IDS2018, ("Benign",), _NO_BOT, _NO_BOT),
        Scenario("1f", _IDS2018, ("Benign",), _NO_BRUTE_FORCE, _NO_BRUTE_FORCE),
        Scenario("1g", "credit-card", ("0",), ("1",), ("1",), without_columns=("Time",)),
        Scenario("2a", "mnist", _LOW_DIGITS, ("6", "7"), ("6", "7", "8", "9")),
        Scenario("2b", "mnist", _HIGH_DIGITS, ("0", "1"), ("0", "1", "2", "3")),
        Scenario("2c", "nsl-kdd", ("normal",), _DOS_PROBE, _DOS_PROBE + _R2L_U2R),
        Scenario("2d", "nsl-kdd", ("normal",), _R2L_U2R, _R2L_U2R + _DOS_PROBE),
        Scenario("2e", _IDS2018, ("Benign",), _NO_BOT, (*_NO_BOT, "Bot")),
        Scenario("2f", _IDS2018, ("Benign",), _NO_BRUTE_FORCE, (*_NO_BRUTE_FORCE, "BruteForce")),
        Scenario("3a", _LETTERS, _DIGITS, _FIRST_LETTERS, _FIRST_LETTERS),
        Scenario("3b", _LETTERS, _DIGITS, _FIRST_LETTERS, _FIRST_LETTERS + _LAST_LETTERS),
        Scenario("3c", _LETTERS, _DIGITS, _LAST_LETTERS, _LAST_LETTERS),
        Scenario("3d", _LETTERS, _DIGITS, _LAST_LETTERS, _FIRST_LETTERS + _LAST_LETTERS),
        Scenario("4a", "mnist", _LOW_DIGITS, (), ("6", "7")),
        Scenario("4b", "mnist", _LOW_DIGITS, (), ("6", "7", "8", "9")),
        Scenario("4c", "mnist", _HIGH_DIGITS, (), ("0", "1")),
        Scenario("4d", "mnist", _HIGH_DIGITS, (), ("0", "1", "2", "3")),
    )
}


@dataclass(frozen=True, eq=False)
class ScenarioPart:
    """Rows of a scenario.

    Attributes
    ----------
    X
        A table of N rows, or uint8 images (N, H, W) or (N, H, W, 3).
    y
        int64, shape (N,): 1 is an anomaly, 0 is normal.
    classes
        The class or attack name of each row, for results by attack; shape (N,).
    rows
        The row numbers in the data set, its official training part first; shape (N,).
    """

    X: Features
    y: NDArray[np.int64]
    classes: NDArray[np.str_]
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScenarioData:
    """A scenario's rows, ready to fit and to judge a detector.

    Attributes
    ----------
    scenario
        The groups that were asked for.
    train
        Normal rows and the known anomalies; every other training anomaly is removed.
    validation
        Normal rows and rows of the test anomalies' groups, from the training part and not in `train`. It
        holds groups that are unknown in training: draw curves on it, but do not stop training by it.
    test
        Every normal row of the test part, and its anomalies of the named groups.
    categories
        The values of each string column over the whole data set; empty for images.
    """

    scenario: Scenario
    train: ScenarioPart
    validation: ScenarioPart
    test: ScenarioPart
    categories: dict[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class _Rows:
    X: Features
    classes: NDArray[np.str_]
    groups: NDArray[np.str_]
    train_rows: int | None
    categories: dict[str, tuple[str, ...]]

    def among(self, numbers: NDArray[np.int64], groups: tuple[str, ...]) -> NDArray[np.int64]:
        return numbers[np.isin(self.groups[numbers], groups)]

    def part(self, normal: NDArray[np.int64], anomalies: NDArray[np.int64]) -> ScenarioPart:
        rows = np.sort(np.concatenate([normal, anomalies]))
        X = self.X.take(rows) if isinstance(self.X, pa.Table) else self.X[rows]
        return ScenarioPart(X, np.isin(rows, anomalies).astype(np.int64), self.classes[rows], rows)


def _all_rows(data: Table | Images, without_columns: tuple[str, ...]) -> _Rows:
    if isinstance(data, Table):
        table = replace(data, frame=data.frame.drop_columns(list(without_columns)))
        return _Rows(table.frame, table.classes, table.row_groups, table.train_rows, table.categories)
    labels = np.concatenate([data.train_labels, data.test_labels])
    classes = np.array(data.class_names)[labels]
    images = np.concatenate([data.train_images, data.test_images])
    return _Rows(images, classes, classes, len(data.train_labels), {})


def _split(
    n_rows: int, train_rows: int | None, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to train on, to validate on and to test on."""
    order = generator.permutation(n_rows if train_rows is None else train_rows)
    n_test = round(TEST_SHARE * n_rows) if train_rows is None else 0
    test = order[:n_test] if train_rows is None else np.arange(train_rows, n_rows)
    validation, train = np.split(order[n_test:], [round(VALIDATION_SHARE * len(order))])
    return np.sort(train), np.sort(validation), test


def _check(scenario: Scenario, groups: NDArray[np.str_]) -> None:
    present = np.unique(groups).tolist()
    anomalies = scenario.train_anomalies + scenario.test_anomalies
    if unknown := sorted({*scenario.normal, *anomalies}.difference(present)):
        raise InputError(
            f"scenario {scenario.name} names the groups {unknown}, which {scenario.dataset} does not have; "
            f"choose from {present}.",
            code="unknown_group",
        )
    if both := sorted(set(scenario.normal).intersection(anomalies)):
        raise InputError(
            f"scenario {scenario.name} has {both} both as normal and as anomalies; keep each group on one "
            "side.",
            code="contradictory_groups",
        )


def _known_anomalies(
    scenario: Scenario, candidates: NDArray[np.int64], known: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    if not scenario.train_anomalies:
        return candidates[:0]
    if not 0 <= known <= len(candidates):
        raise InputError(
            f"known={known} anomalies were asked for, but scenario {scenario.name} has {len(candidates):,} "
            f"to draw from; choose 0 to {len(candidates):,}.",
            code="too_many_known",
        )
    return generator.permutation(candidates)[:known]


def make_scenario(scenario: str | Scenario, *, known: int = 100, seed: int = 0) -> ScenarioData:
    """Training, validation and test rows of an experiment.

    The official test part is the test where there is one, and 5 % of the official training part are the
    validation; other sets are split 80 / 5 / 15 by chance. Scenarios of one data set and seed share the
    split, and a smaller `known` is part of a larger one.

    Parameters
    ----------
    scenario
        A name of `A3_SCENARIOS`, or a scenario of one's own.
    known
        How many anomalies are known in training, drawn from all training anomalies of the named groups
        together. Scenarios without such groups (4a to 4d) have none, whatever `known` says.
    seed
        Fixes the split and the draw.

    Raises
    ------
    InputError
        The scenario, or a group it names, does not exist; more anomalies are asked for than there are; or the
        data cannot be had.

    Examples
    --------
    >>> data = make_scenario("1c", known=25)  # doctest: +SKIP
    >>> int(data.train.y.sum()), data.test.X.num_rows  # doctest: +SKIP
    (25, 19592)
    """
    if isinstance(scenario, str):
        if scenario not in A3_SCENARIOS:
            raise InputError(
                f"there is no scenario {scenario!r}; choose one of {', '.join(A3_SCENARIOS)}.",
                code="unknown_scenario",
            )
        scenario = A3_SCENARIOS[scenario]
    rows = _all_rows(dataset_info(scenario.dataset).loader(), scenario.without_columns)
    _check(scenario, rows.groups)
    train, validation, test = _split(
        len(rows.classes), rows.train_rows, numpy_generator(seed, "scenario split")
    )
    known_anomalies = _known_anomalies(
        scenario, rows.among(train, scenario.train_anomalies), known, numpy_generator(seed, "known anomalies")
    )
    return ScenarioData(
        scenario,
        train=rows.part(rows.among(train, scenario.normal), known_anomalies),
        validation=rows.part(
            rows.among(validation, scenario.normal), rows.among(validation, scenario.test_anomalies)
        ),
        test=rows.part(rows.among(test, scenario.normal), rows.among(test, scenario.test_anomalies)),
        categories=rows.categories,
    )
