"""Text files as one table: the type of each column, found from every cell, and the rows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa

from alarmnet._shared.validation import warn_of_inexact_integers
from alarmnet._shared.warn import warn
from alarmnet.data_files.cells import (
    GUESSES,
    TYPES,
    ColumnKind,
    Guess,
    bad_cell,
    has_inexact_integers,
    have_points,
    parse,
    remaining_guesses,
    said_of_codes,
    with_leading_zero,
)
from alarmnet.data_files.column_types import refuse_unusable
from alarmnet.data_files.csv_file import CsvFile
from alarmnet.data_files.line_file import LineFile
from alarmnet.data_files.missing import MissingWords
from alarmnet.errors import InputError

TextFile = CsvFile | LineFile


class TextTable:
    """Text files with the same columns; ``n_rows`` is None until they have been read to the end once.

    Cells that are one of the words of `missing` are missing.
    """

    def __init__(
        self, files: Sequence[TextFile], *, kinds: Mapping[str, ColumnKind], missing: MissingWords
    ) -> None:
        self.n_rows: int | None = None
        self._files = files
        self._kinds = dict(kinds)
        self._missing = missing

    def parts(self, columns: Sequence[str], *, refuse: bool) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Give the rows and which of them are bad, an empty part first; ``refuse`` raises for bad ones."""
        for file in self._files:
            refuse_unusable(
                file.path, {name: file.unusable[name] for name in columns if name in file.unusable}
            )
        self._find_kinds([name for name in columns if name not in self._kinds])
        schema = pa.schema([(name, TYPES[self._kinds[name]]) for name in columns])
        yield schema.empty_table(), np.zeros(0, dtype=bool)
        row = 0
        for file in self._files:
            first_row = row
            for block in map(self._missing.left_out, file.blocks()):
                table, bad = self._parse(block, schema, decimal=file.decimal)
                if refuse and bad:
                    raise self._refusal(file, block, bad, row=row, first_row=first_row)
                yield table, reduce(np.logical_or, bad.values(), np.zeros(len(block), dtype=bool))
                row += len(block)
        self.n_rows = row

    def _parse(
        self, block: pa.Table, schema: pa.Schema, *, decimal: str
    ) -> tuple[pa.Table, dict[str, np.ndarray]]:
        """Give the values, and the bad cells of each column that has some."""
        parsed = [parse(block.column(name), self._kinds[name], decimal=decimal) for name in schema.names]
        bad = {
            name: cells
            for name, (_, cells) in zip(schema.names, parsed, strict=True)
            if cells is not None and cells.any()
        }
        for name, (values, _) in zip(schema.names, parsed, strict=True):
            if self._kinds[name] == "number" and has_inexact_integers(block.column(name), values):
                warn_of_inexact_integers(repr(name))
        return self._missing.left_out(pa.table([values for values, _ in parsed], schema=schema)), bad

    def _refusal(
        self, file: TextFile, block: pa.Table, bad: Mapping[str, np.ndarray], *, row: int, first_row: int
    ) -> InputError:
        """Describe the first bad column; ``row`` is the block's first row, ``first_row`` the file's."""
        name, cells = next(iter(bad.items()))
        found = np.flatnonzero(cells)
        return bad_cell(
            f"{file.path} {file.place(row - first_row + int(found[0]))}",
            block.column(name)[int(found[0])].as_py(),
            kind="number" if self._kinds[name] == "text" else self._kinds[name],
            column=name,
            rows=(row + found[:5]).tolist(),
            decimal=file.decimal,
        )

    def _find_kinds(self, columns: Sequence[str]) -> None:
        """Find out what columns are, from every cell of every file."""
        if not columns:
            return
        guesses: dict[str, Sequence[Guess]] = dict.fromkeys(columns, GUESSES)
        rows, codes = 0, dict[str, str]()
        for file in self._files:
            for block in map(self._missing.left_out, file.blocks()):
                for name in columns:
                    cells = block.column(name)
                    guesses[name] = remaining_guesses(cells, guesses[name], decimal=file.decimal)
                    if not rows and "number" in guesses[name]:  # the first rows tell
                        codes[name] = with_leading_zero(cells)
                rows += len(block)
        for name, left in guesses.items():
            self._kinds[name] = left[0] if left else "text"
        if any(file.decimal == "," for file in self._files):
            self._refuse_points([name for name in columns if self._kinds[name] == "text"])
        if codes := {name: code for name, code in codes.items() if code and self._kinds[name] == "number"}:
            warn(said_of_codes(codes))
        self.n_rows = rows

    def _refuse_points(self, columns: Sequence[str]) -> None:
        """Refuse columns that are text only because numbers have points where the files have decimal commas."""
        first: dict[str, InputError] = {}
        left, row = set(columns), 0
        for file in self._files:
            first_row = row
            for block in map(self._missing.left_out, file.blocks() if left else ()):
                for name in tuple(left) if file.decimal == "," else ():
                    points = have_points(block.column(name))
                    if points is None:
                        left.remove(name)
                    elif points.any():
                        fault = self._refusal(file, block, {name: points}, row=row, first_row=first_row)
                        first.setdefault(name, fault)
                if not left:
                    break
                row += len(block)
        for name in columns:
            if name in left and name in first:
                raise first[name]
