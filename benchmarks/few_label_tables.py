"""Public tables in two halves: development rows to choose settings on, test rows for the published figures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from alarmnet.datasets import (
    Table,
    load_bank_marketing,
    load_celeba_attributes,
    load_census_income,
    load_credit_card,
    load_cse_cic_ids2018_sample,
    load_kdd_http,
    load_kdd_portsweep,
    load_nsl_kdd,
    load_thyroid,
    make_scenario,
)


@dataclass(frozen=True)
class Halves:
    """Rows of a table, True for anomalies, and the rows of each half."""

    frame: pa.Table
    anomalous: np.ndarray
    development: np.ndarray
    test: np.ndarray


def halved_by_kind(frame: pa.Table, anomalous: np.ndarray) -> Halves:
    """Half of the normal rows and half of the anomalies in each half, the same in every run."""
    generator = np.random.default_rng(0)
    parts = []
    for kind in (False, True):
        rows = generator.permutation(np.flatnonzero(anomalous == kind))
        parts.append(np.split(rows, [len(rows) // 2]))
    development, test = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    return Halves(frame, anomalous, development, test)


def _halved(table: Table, normal: str) -> Halves:
    """Halves that are the same in every run."""
    order = np.random.default_rng(0).permutation(len(table.classes))
    return Halves(table.frame, table.classes != normal, *np.array_split(order, 2))


def _official(table: Table, normal: str) -> Halves:
    rows = np.arange(len(table.classes))
    return Halves(table.frame, table.classes != normal, *np.split(rows, [table.train_rows or 0]))


def _bank() -> Halves:
    table = load_bank_marketing()
    rows = np.arange(len(table.classes))
    return Halves(table.frame, table.classes != "no", rows[::2], rows[1::2])


def _credit_card() -> Halves:
    table = load_credit_card()
    tested = np.unique(np.concatenate([make_scenario("1g", seed=seed).test.rows for seed in range(10)]))
    others = np.setdiff1d(np.arange(len(table.classes)), tested)
    return Halves(table.frame.drop_columns(["Time"]), table.classes != "0", others, tested)


TABLES: dict[str, Callable[[], Halves]] = {
    "thyroid": lambda: _official(load_thyroid(), "3"),
    "bank": _bank,
    "census": lambda: _official(load_census_income(), "- 50000."),
    "credit card": _credit_card,
    "celeba": lambda: _halved(load_celeba_attributes(), "-1"),
    "nsl-kdd": lambda: _official(load_nsl_kdd(), "normal"),
    "kdd http": lambda: _halved(load_kdd_http(stand_in=True), "normal."),
    "kdd portsweep": lambda: _halved(load_kdd_portsweep(stand_in=True), "normal."),
    "ids 2018": lambda: _halved(load_cse_cic_ids2018_sample(), "Benign"),
    "ids 2018 improved": lambda: _halved(load_cse_cic_ids2018_sample(improved=True), "BENIGN"),
}
