"""A column of labels as labels: 1 anomaly, 0 normal, NaN not looked at."""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.containers import decoded, wrong_type
from alarmnet._shared.labels import Labels
from alarmnet._shared.phrases import counted, quoted
from alarmnet._shared.spelling import is_near
from alarmnet.data_files import MISSING_WORDS
from alarmnet.errors import InputError
from alarmnet.metrics import check_classes

Floats = NDArray[np.float64]

FOLDER = "folder"
"""What the label column is called where the folders of images are the labels."""


def _same(cell: str, value: str) -> bool:
    """Equal as text, as numbers, or as true or false however these are spelled.

    >>> _same("1.0", "1"), _same("1", "one"), _same("true", "True")
    (True, False, True)
    """
    if cell == value or (cell.lower() == value.lower() and cell.lower() in ("true", "false")):
        return True
    try:
        return float(cell) == float(value)
    except ValueError:
        return False


@dataclass(frozen=True)
class Labelling:
    """Which column holds labels, and which of its values mean what.

    Attributes
    ----------
    label
        The column.
    anomaly, normal
        Values; no normal ones: every other value is normal; no anomalous ones: every other value is an anomaly. A
        cell matches as text, or as an equal number.
    """

    label: str
    anomaly: Sequence[str]
    normal: Sequence[str]

    @classmethod
    def chosen(
        cls,
        label: str | None,
        anomaly: Sequence[str],
        normal: Sequence[str],
        *,
        remembered: Mapping[str, Any] | None = None,
        data: Sequence[Path],
        labels_file: Path | None,
    ) -> Self | None:
        """From options, and for those not given from what a model remembers; None without a label column.

        What the model remembers as normal counts only with the column and the anomalies that it remembers. Values
        without a column name folders of images, unless there is a table of labels.
        """
        remembered = remembered or {}
        if not anomaly and label in (None, remembered.get("label")):
            normal = normal or remembered.get("normal", ())
        label = label or remembered.get("label")
        if label is None and labels_file is None and (anomaly or normal) and all(map(Path.is_dir, data)):
            label = FOLDER
        anomaly = anomaly or remembered.get("anomaly", ())
        if label is None and (anomaly or normal):
            raise InputError("--anomaly and --normal need --label COLUMN.", code="options")
        if label is None:
            return None
        if not anomaly and not (label == FOLDER and normal):
            raise InputError(
                "--label needs --anomaly VALUE: which of its values marks an anomaly?", code="options"
            )
        if both := [value for value in anomaly if value in normal]:
            raise InputError(
                f"{both[0]!r} is given as --anomaly and as --normal; it can be one of them.", code="options"
            )
        return cls(label, anomaly, normal)

    def to_dict(self) -> dict[str, Any]:
        """Give what a model remembers, for `chosen`."""
        return asdict(self)

    def meaning(self, cell: str | None) -> float:
        """1 anomaly, 0 normal, NaN not looked at."""
        if cell is None:
            return np.nan
        if any(_same(cell, value) for value in self.anomaly):
            return 1.0
        if any(_same(cell, value) for value in self.normal):
            return 0.0
        if self.anomaly and self.normal:
            return np.nan
        return np.nan if cell.strip() in MISSING_WORDS else float(not self.anomaly)

    def read(self, parts: Iterable[pa.ChunkedArray], *, given: Sequence[str] = ()) -> "FoundLabels":
        """Read the labels of all rows (N,), in one pass that holds nothing else.

        Parameters
        ----------
        parts
            The label column, part by part.
        given
            Values that somebody typed, which have to occur unless the whole column is empty.

        Raises
        ------
        InputError
            A given value is not in the column, or a cell is one that marks anomalies but for its spelling.
        """
        labels = [np.empty(0)]
        found: Counter[str | None] = Counter()
        for part in parts:
            encoded = self._texts(part).dictionary_encode()
            cells = encoded.dictionary.to_pylist()
            indices = encoded.indices.fill_null(len(cells)).to_numpy(zero_copy_only=False)
            labels.append(np.array([*map(self.meaning, cells), np.nan])[indices])
            counts = np.bincount(indices, minlength=len(cells) + 1)
            found.update(dict(zip([*cells, None], counts.tolist(), strict=True)))
        self._check(found, given)
        return FoundLabels(np.concatenate(labels), found, self)

    def _texts(self, part: pa.ChunkedArray) -> pa.Array:
        """Cells as text; refuses what pyarrow cannot write as text, such as some time zones before version 22."""
        try:
            return decoded(part).cast(pa.string())
        except pa.ArrowException as error:
            fault = f"Column {self.label!r} holds {part.type}, which cannot be read as labels ({error})."
            raise wrong_type(fault, self.label) from error

    def _check(self, found: Iterable[str | None], given: Sequence[str]) -> None:
        """Refuse values that are not there, and cells that would not count as the anomalies that they may be."""
        cells = [cell for cell in found if cell is not None]
        sides = [(self.anomaly, "anomalies", "anomaly"), (self.normal, "normal rows", "normal")]
        (named, marks, option), (_, _, other) = sides if self.anomaly else reversed(sides)
        near = [
            cell
            for cell in cells
            if not any(_same(cell, value) for value in (*self.anomaly, *self.normal))
            and any(is_near(cell, value) for value in named)
        ]
        if near:
            options = " ".join(f"--{option} {shlex.quote(cell)}" for cell in near)
            raise InputError(
                f"column {self.label!r} holds {quoted(near)}, while {marks} are {quoted(named)}: is "
                f"it the same in another spelling? If so, add {options}; if not, name all {other} values, this one "
                f"too, with --{other}",
                code="near_label",
                column=self.label,
            )
        for value in given:
            if cells and not any(_same(cell, value) for cell in cells):
                raise InputError(
                    f"column {self.label!r} has no {value!r}; it has {quoted(cells)}",
                    code="absent_label",
                    column=self.label,
                )


MEANINGS = {1.0: "anomaly", 0.0: "normal"}
MOST_SHOWN = 10
"""Values of a label column that are shown; the others are summed."""


@dataclass(frozen=True)
class FoundLabels:
    """The labels of all rows (N,), and how many rows hold each value of the label column."""

    values: Floats
    counts: Counter[str | None]
    labelling: Labelling

    @property
    def labels(self) -> Labels:
        """Labels whose meaning does not depend on what a detector calls an anomaly."""
        return Labels(self.values, np.array([0, 1]))

    def check_classes(self, called: str) -> None:
        """Refuse labels without an anomaly or a normal row; say which value counts as what."""
        counts = self.labels.counts()
        try:
            check_classes(counts["normal"], counts["anomaly"], called=called)
        except InputError as error:
            shown = f" {self.described()} --anomaly names the values of anomalies" if any(self.counts) else ""
            raise InputError(f"{error}.{shown}", code=error.code) from None

    def facts(self) -> list[dict[str, Any]]:
        """Each value with its number of rows and its meaning, anomalies first, then by number."""
        meanings = {cell: MEANINGS.get(self.labelling.meaning(cell), "unlabelled") for cell in self.counts}
        order = sorted(
            (cell for cell, rows in self.counts.items() if rows),
            key=lambda cell: (meanings[cell] != "anomaly", -self.counts[cell], str(cell)),
        )
        return [{"value": cell, "rows": self.counts[cell], "counts_as": meanings[cell]} for cell in order]

    def described(self) -> str:
        """List the values with their meanings."""
        facts = self.facts()
        shown = [
            f"{repr(fact['value']) if fact['value'] else 'empty'} {fact['rows']:,} ({fact['counts_as']})"
            for fact in facts[:MOST_SHOWN]
        ]
        rest = sum(fact["rows"] for fact in facts[MOST_SHOWN:])
        more = f", {len(facts) - MOST_SHOWN:,} other values {rest:,}" if rest else ""
        return f"Values of {self.labelling.label!r}: {', '.join(shown)}{more}."


def needed(labelling: Labelling | None) -> Labelling:
    """Give the labelling, and refuse to go on without one."""
    if labelling is None:
        raise InputError(
            "the model remembers no label column: name one with --label and --anomaly.", code="options"
        )
    return labelling


def check_refit_labels(found: FoundLabels) -> None:
    """Refuse labels that an alarm cannot be trained again with: none, or no anomaly."""
    label, anomaly = found.labelling.label, found.labelling.anomaly
    if np.isnan(found.values).all():
        raise InputError(
            f"column {label!r} labels no row; refit learns from labels, so label some rows first",
            code="no_labels",
            column=label,
        )
    if not (found.values == 1).any():
        mark = "marks" if len(anomaly) == 1 else "mark"
        named = f"{quoted(anomaly)}, which {mark} anomalies" if anomaly else "anomalies"
        raise InputError(
            f"column {label!r} has no {named}: refit would forget the anomalies that the model knows",
            code="absent_label",
            column=label,
        )


def check_anomalies_left(
    found: FoundLabels | None, usable: NDArray[np.bool_], *, why: str, then: str
) -> None:
    """Refuse to learn where all anomalies are among the dropped rows; say why, and what would follow."""
    if found is None:
        return
    anomalies = found.values == 1
    if anomalies.any() and not (anomalies & usable).any():
        raise InputError(
            f"column {found.labelling.label!r}: all anomalies ({anomalies.sum():,}) are among the "
            f"{counted(int((~usable).sum()), 'row')} dropped: {why}. {then}. Correct these rows "
            "(without --on-bad-row drop, the command says what is wrong with them)",
            code="no_anomalies",
            column=found.labelling.label,
        )


def label_counts(labels: Floats | None, *, rows: int) -> dict[str, int]:
    """How many rows are labelled what."""
    return Labels(np.full(rows, np.nan) if labels is None else labels, np.array([0, 1])).counts()
