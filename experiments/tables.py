"""The papers' tables as their TOML files have them: data, split, classes, settings and published numbers."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from alarmnet.datasets import Scenario

FOLDER = Path(__file__).parent / "tables"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a paper's table.

    Attributes
    ----------
    name
        The paper's name for the row, such as ``"2c"``.
    data
        A name of `alarmnet.datasets.DATASETS`.
    normal, train_anomalies, test_anomalies
        Groups of its classes. Without the last two, every class but the normal ones is an anomaly, in training too.
    without_columns
        Features that are left out.
    trained_as
        The row whose training it shares; its own name if it has its own training.
    settings
        What the methods must know of the row, such as the sizes of its target.
    departures
        How the data departs from the paper's.
    not_run
        The text for a row without a result.
    published
        By column of the paper: mean, and standard deviation if there is one, of each metric of the table.
    """

    name: str
    data: str
    normal: tuple[str, ...]
    train_anomalies: tuple[str, ...] = ()
    test_anomalies: tuple[str, ...] = ()
    without_columns: tuple[str, ...] = ()
    trained_as: str
    settings: dict[str, Any] = field(default_factory=dict)
    departures: tuple[str, ...] = ()
    not_run: str = "not run"
    published: dict[str, list[list[float]]] = field(default_factory=dict)

    @property
    def scenario(self) -> Scenario:
        """The row as the library's scenarios have it."""
        return Scenario(
            self.name,
            self.data,
            self.normal,
            self.train_anomalies,
            self.test_anomalies,
            self.without_columns,
        )


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """One table of a paper.

    Attributes
    ----------
    name, title, paper
        The name of the table's file, its title and its paper.
    split
        ``"80:5:15"``, with the official test part, if there is one, as the last part; or ``"8:1:1"``, a random
        stratified split of distinct rows.
    scaling
        How the encoder scales the numbers of a table.
    detector
        The detector of the paper: ``"A3"`` or ``"E2E-ConvA3"``.
    metrics, digits
        The metrics that the paper prints, and the number of decimals.
    known
        The numbers of known anomalies in training, as in the paper; None for all.
    runs
        The number of runs in the paper's means.
    columns
        By method: the paper's column that it is compared with.
    quoted
        Columns that the paper's authors took from other papers.
    folded
        Methods whose ROC AUC the paper gives as max(x, 1 - x).
    departures
        By method: how ours departs from the paper's.
    rows
        The rows by name.
    """

    name: str
    title: str
    paper: str
    split: str
    scaling: Literal["minmax", "quantile-normal"]
    detector: str
    metrics: tuple[str, ...]
    digits: int
    known: tuple[int | None, ...]
    runs: int
    columns: dict[str, str]
    quoted: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    departures: dict[str, list[str]]
    rows: dict[str, Row]

    def sharing(self, row: Row) -> list[Row]:
        """The rows that are judged with the same training as `row`, including `row` itself."""
        return [other for other in self.rows.values() if other.trained_as == row.trained_as]


def _tuples(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entries.items()}


def _row(name: str, entries: dict[str, Any], others: dict[str, dict[str, Any]]) -> Row:
    entries = dict(entries)
    if full := entries.pop("stand_in_for", None):
        entries["published"] = others[full]["published"]
    return Row(name=name, **({"trained_as": name} | _tuples(entries)))


def load_table(name: str) -> PaperTable:
    """Read one table's TOML file.

    >>> load_table("a3-table-3").rows["2c"].published["A3"]
    [[0.94, 0.01], [0.92, 0.02]]
    """
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    rows = content.pop("rows")
    known = tuple(None if count == "all" else count for count in content.pop("known"))
    return PaperTable(
        name=name,
        rows={row: _row(row, entries, rows) for row, entries in rows.items()},
        known=known,
        **_tuples(content),
    )
