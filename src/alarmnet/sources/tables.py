"""Rows of table files."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import narwhals as nw
import numpy as np
import pyarrow as pa

from alarmnet._shared.containers import decoded
from alarmnet._shared.phrases import counted, quoted
from alarmnet._shared.spelling import as_folded, near_names
from alarmnet._shared.warn import by_caller, warn
from alarmnet.data_files import ColumnKind, Reading, TableFiles
from alarmnet.detectors import BaseDetector
from alarmnet.errors import InputError
from alarmnet.preprocessing import TableEncoder
from alarmnet.preprocessing.cells import read_cells
from alarmnet.preprocessing.frames import Frame, read_frame
from alarmnet.preprocessing.text_meaning import meaning_of
from alarmnet.sources.labels import FoundLabels, Labelling
from alarmnet.sources.memory import estimated_bytes
from alarmnet.sources.part import Bools, Part, row_numbers

LABEL_NAMES = {
    *("label", "labels", "class", "target", "y", "verdict"),
    *(start + kind for start in ("", "is") for kind in ("anomaly", "attack", "fraud", "outlier")),
}
"""Names of columns, in lower case and without underscores, that usually hold labels."""


def _as_categories(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Give the table with some columns as categories, whatever they hold; a model names them alike."""
    for name in names:
        cells = read_cells(decoded(table[name]), "category")
        if cells.unreadable.any():
            raise InputError(
                f"column {name!r} holds {table[name].type}, which --category cannot take as categories; leave out "
                f"--category {shlex.quote(name)}",
                code="wrong_type",
                column=name,
            )
        codes = pa.array(cells.values, pa.int32(), mask=cells.values < 0)
        categories = pa.DictionaryArray.from_arrays(codes, pa.array(cells.texts, pa.string()))
        table = table.set_column(table.column_names.index(name), name, categories)
    return table


class _StoredColumns(Sequence[Any]):
    """Columns of Parquet files, each read when it is asked for, so that memory holds one at a time."""

    def __init__(self, files: TableFiles, names: Sequence[str], categories: Sequence[str]) -> None:
        self._files = files
        self._names = names
        self._categories = categories

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        name = self._names[index]
        table = _as_categories(self._files.read([name]), [name] if name in self._categories else [])
        return nw.from_native(table[0], series_only=True)


def usable_rows(frame: Frame) -> Bools:
    """Mark the rows (N,) without infinity, numbers beyond float32 and types other than their column's."""
    usable = np.ones(frame.rows, dtype=bool)
    for index in range(len(frame.raw)):
        column = frame.column(index)
        usable &= ~meaning_of(column, frame.label(index)).read(column).invalid
    return usable


def _check_named(option: str, named: Sequence[str], columns: Sequence[str]) -> None:
    if unknown := [name for name in named if name not in columns]:
        raise InputError(
            f"{option} {unknown[0]!r}: there is no such column; there are {quoted(columns)}"
            f"{near_names(unknown, columns)}",
            code="missing_column",
            column=unknown[0],
        )


def _features(files: TableFiles, labelling: Labelling | None, ignored: Sequence[str]) -> list[str]:
    _check_named("--ignore", ignored, files.columns)
    left_out = {*ignored, labelling.label if labelling else None}
    if features := [name for name in files.columns if name not in left_out]:
        return features
    raise InputError("no column is left to learn from: all are labels or ignored", code="no_columns")


def named_as_labels(column: str) -> bool:
    """Whether the name of a column says that it holds labels."""
    return as_folded(column).replace("_", "") in LABEL_NAMES


def _warn_of_labels(features: Sequence[str]) -> None:
    """Warn of columns that are learned, although their names say that they hold labels."""
    for name in features:
        if named_as_labels(name):
            column = shlex.quote(name)
            warn(
                f"column {name!r} is learned like every other column. If it holds labels, leave it out with "
                f"--ignore {column}, or let alarmnet fit learn from it with --label {column} --anomaly VALUE"
            )


class TableRows:
    """Rows of table files, opened with `to_train` or `to_run`; `ImageRows` has the same methods."""

    unusable: ClassVar[str] = "they hold infinity or numbers beyond float32"
    fewer: ClassVar[str] = (
        "train on fewer rows (a random part of the table will do), or leave columns out with --ignore, above all "
        "text columns with many different values"
    )

    def __init__(
        self,
        files: TableFiles,
        features: Sequence[str],
        *,
        names: TableFiles | None = None,
        identifier: str | None = None,
        encoder: TableEncoder | None = None,
        categories: Sequence[str] = (),
    ) -> None:
        self._categories = categories
        self._files = files
        self._features = features
        self._names = names
        self._identifier = identifier
        self._encoder = encoder

    @classmethod
    def to_train(
        cls,
        tables: Sequence[Path],
        labelling: Labelling | None,
        *,
        ignored: Sequence[str],
        reading: Reading | None = None,
        identifier: str | None = None,
        kept: Sequence[str] = (),
        categories: Sequence[str] = (),
    ) -> Self:
        """Open tables to learn from every column that is neither the labels, nor the identifier, nor ignored.

        Among them are those `kept`, and those whose numbers are `categories`.
        """
        texts = [*categories, *([labelling.label] if labelling else [])]
        files = TableFiles(tables, kinds=dict.fromkeys(texts, "text"), reading=reading)
        identifiers = [identifier] if identifier else []
        _check_named("--id", identifiers, files.columns)
        features = _features(files, labelling, [*ignored, *identifiers])
        _check_named("--keep", kept, features)
        _check_named("--category", categories, features)
        if labelling is None:
            _warn_of_labels(features)
        return cls(files, features, categories=categories)

    @classmethod
    def to_run(
        cls,
        detector: BaseDetector,
        tables: Sequence[Path],
        *,
        label: str | None,
        identifier: str | None,
        ignored: Sequence[str],
        reading: Reading | None = None,
    ) -> Self:
        """Open tables to run a model on, every column read as it was in training.

        Parameters
        ----------
        detector
            The model; columns that it was told to leave out may be in the files.
        tables
            The files.
        label, identifier
            Further columns to read, as text.
        ignored
            Further columns to leave out.
        reading
            How to read the files; words that the model knows to mean missing go on to do so.

        Raises
        ------
        InputError
            Columns of the model are missing or ignored, or there are columns that it does not know.
        """
        encoder = cast(TableEncoder, detector.encoder_)
        known_names = [str(name) for name in detector.feature_names_in_]
        texts = [name for name in (label, identifier) if name]
        kinds: dict[str, ColumnKind] = dict.fromkeys([*texts, *known_names], "text")
        kinds |= encoder.file_kinds_
        notes = detector.notes_
        reading = reading or Reading()
        words = dict.fromkeys([*notes.get("missing", ()), *reading.missing])
        reading = replace(reading, missing=[*words])
        ids = [identifier] if identifier else []
        copied = encoder.file_kinds_.get(identifier or "", "text") == "text"
        files = TableFiles(tables, kinds=kinds, reading=reading, ids=ids if copied else [])
        names = None
        if not copied and not files.is_parquet:  # the model reads as numbers what is copied as it is written
            names = TableFiles(tables, kinds=kinds | dict.fromkeys(ids, "text"), reading=reading, ids=ids)
        left_out = encoder.left_out_
        if learned := [name for name in known_names if name in ignored and name not in left_out]:
            raise InputError(
                f"--ignore {learned[0]!r}: the model has learned this column and cannot score without it; fit a "
                "model without it, or leave out this option",
                code="options",
                column=learned[0],
            )
        features = [name for name in known_names if name in files.columns or name not in left_out]
        known = {*features, *texts, *ignored, *notes.get("ignored", ()), notes.get("label")} - {None}
        extra = [name for name in files.columns if name not in known and not encoder.left_out_as_index(name)]
        if missing := [name for name in features if name not in files.columns]:
            remedy = near_names(missing, extra) or "; add them"
            if len(files.columns) == 1 < len(missing) and all(name in files.columns[0] for name in missing):
                delimiter = by_caller(command="--delimiter", python="Reading(delimiter=...)")
                remedy = f"; its only column is {files.columns[0]!r}: say what separates the cells with {delimiter}"
            raise InputError(
                f"{tables[0]} lacks columns that the model was trained with: {quoted(missing)}{remedy}",
                code="missing_columns",
                column=missing[0],
            )
        if extra:
            ignore = by_caller(command="--ignore COLUMN", python="ignored=[...]")
            raise InputError(
                f"{tables[0]} has columns that the model was not trained with: {quoted(extra)}"
                f"{near_names(known.difference(files.columns), extra)}; leave each out with {ignore}",
                code="extra_columns",
                column=extra[0],
            )
        lasting = [name for name in features if encoder.kinds_.get(name) == "duration"]
        if lasting and not files.is_parquet:
            raise InputError(
                f"the model learned durations in column {lasting[0]!r}, which text files such as {tables[0]} do "
                "not hold: give Parquet files, or fit a model with numbers, such as seconds, in this column",
                code="wrong_type",
                column=lasting[0],
            )
        return cls(files, features, names=names, identifier=identifier, encoder=encoder)

    @property
    def n_rows(self) -> int | None:
        """How many there are; for CSV None until they were read once."""
        return self._files.n_rows

    @property
    def has_ids(self) -> bool:
        """Whether a column names the rows; else they have numbers."""
        return self._identifier is not None

    def size(self) -> tuple[str, int]:
        """Say how much there is, and how many bytes training on it takes."""
        sample = next(self._files.batches(columns=self._features, on_bad_cell="null")).table
        sample = _as_categories(sample, self._categories)
        rows = self.n_rows or 0
        estimate = estimated_bytes(sample, rows=rows, by_column=self._files.is_parquet)
        return f"Table: {counted(rows, 'row')}, {counted(len(self._features), 'column')}.", estimate

    def has_labels(self, labelling: Labelling) -> bool:
        """Whether the label column is there."""
        return labelling.label in self._files.columns

    def labels(self, labelling: Labelling, *, given: Sequence[str]) -> FoundLabels:
        """Read the labels (N,); `given` values have to occur."""
        return labelling.read(self._column(labelling.label), given=given)

    def parts(self, *, flag: bool) -> Iterator[Part]:
        """Give the rows in order, at least one part; bad rows are refused, or flagged as not usable."""
        identifier = [self._identifier] if self._identifier and self._identifier not in self._features else []
        on_bad_cell: Literal["null", "refuse"] = "null" if flag else "refuse"
        named = None if self._names is None else self._names.batches(columns=[self._identifier or ""])
        for batch in self._files.batches(columns=[*self._features, *identifier], on_bad_cell=on_bad_cell):
            table = _as_categories(batch.table.select(self._features), self._categories)
            usable = ~batch.bad_rows
            if flag and len(table) and self._encoder:
                usable &= ~self._encoder.invalid_rows(table)
            ids = row_numbers(batch.first_row, len(table))
            if self._identifier:
                ids = (next(named) if named else batch).table[self._identifier]
            yield Part(table, usable, ids, batch.first_row)

    def read(self) -> pa.Table:
        """Give all rows."""
        return self._files.read(self._features)

    def to_learn(self, *, flag: bool = False) -> tuple[Frame, Bools]:
        """Give all rows, and which of them are usable (N,): all, unless bad ones are flagged."""
        if flag and self._encoder:
            parts = [*self.parts(flag=True)]
            usable = np.concatenate([part.usable for part in parts])
            return read_frame(pa.concat_tables(part.X for part in parts)), usable
        if self._files.is_parquet:
            columns = _StoredColumns(self._files, self._features, self._categories)
            frame = Frame(names=tuple(self._features), rows=self.n_rows or 0, raw=columns)
        else:
            frame = read_frame(_as_categories(self.read(), self._categories))
        return frame, usable_rows(frame) if flag else np.ones(frame.rows, dtype=bool)

    def ids(self) -> list[Any] | None:
        """Give the names of all rows, where they have names."""
        files = self._names or self._files
        return files.read([self._identifier])[0].to_pylist() if self._identifier else None

    def _column(self, name: str) -> Iterable[pa.ChunkedArray]:
        return (batch.table[name] for batch in self._files.batches(columns=[name]))
