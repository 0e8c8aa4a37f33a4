"""Parquet files as one table with the types they have in common."""

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from alarmnet._shared.atomic import open_regular
from alarmnet._shared.containers import decoded, is_text_type
from alarmnet.data_files.column_names import check_unique
from alarmnet.data_files.column_types import refuse_unusable
from alarmnet.data_files.missing import MissingWords
from alarmnet.errors import InputError

_BUFFER_BYTES = 1 << 18


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} is not a complete Parquet file: {error}; write or copy it again", code="truncated_file"
        ) from error


class ParquetFile:
    """One Parquet file, opened anew for every reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            schema = file.schema_arrow
            self._metadata = file.metadata
        self.n_rows = self._metadata.num_rows
        check_unique(path, schema.names)
        # pandas stores an index without a name under such names, and hides it again when it reads the file
        self.schema = pa.schema(
            [self._as_kept(f) for f in schema if not re.fullmatch(r"__index_level_\d+__", f.name)]
        )
        self.columns = self.schema.names

    def _as_kept(self, field: pa.Field) -> pa.Field:
        """The field, without the order of its categories if the file has not kept the categories themselves."""
        kind, metadata = field.type, self._metadata
        if not isinstance(kind, pa.DictionaryType) or not kind.ordered:
            return field
        for group, place in itertools.product(range(metadata.num_row_groups), range(metadata.num_columns)):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema == field.name and not column.has_dictionary_page:
                return field.with_type(pa.dictionary(kind.index_type, kind.value_type))
        return field

    def tables(self, columns: Sequence[str], *, rows: int) -> Iterator[pa.Table]:
        """Give the rows in tables of at most ``rows`` rows.

        The file is opened anew for each row group: an open one holds on to memory of all that was read from it.
        """
        for group in range(self._metadata.num_row_groups):
            with self._open(self._metadata) as file:
                for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=list(columns)):
                    yield pa.Table.from_batches([batch]).select(columns)

    @contextmanager
    def _open(
        self, metadata: pyarrow.parquet.FileMetaData | None = None
    ) -> Iterator[pyarrow.parquet.ParquetFile]:
        with (
            open_regular(self.path) as stream,
            _decoding(self.path),
            pyarrow.parquet.ParquetFile(stream, metadata=metadata, buffer_size=_BUFFER_BYTES) as file,
        ):
            yield file


def _common_schema(files: Sequence[ParquetFile]) -> pa.Schema:
    schema = files[0].schema
    for file in files[1:]:
        try:
            schema = pa.unify_schemas([schema, file.schema], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise InputError(
                f"{file.path} has other types than {files[0].path}: {error}; write both with the same types",
                code="columns_differ",
            ) from error
    return schema


def _is_usable(field: pa.Field) -> bool:
    kind = decoded(pa.schema([field]).empty_table()[0]).type
    is_number = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
    return bool(is_text_type(kind) or is_number or pa.types.is_null(kind))


class ParquetTable:
    """Parquet files with the same columns, without cells that are one of the words of `missing`."""

    def __init__(self, files: Sequence[ParquetFile], *, missing: MissingWords) -> None:
        self._missing = missing
        self.n_rows = sum(file.n_rows for file in files)
        self._files = files
        self._schema = _common_schema(files)

    def parts(self, columns: Sequence[str], *, rows: int) -> Iterator[tuple[pa.Table, np.ndarray]]:
        """Give the rows, of which none is bad, ``rows`` at most at once, and an empty part first."""
        schema = pa.schema([self._schema.field(name) for name in columns])
        self._check_usable(schema)
        yield schema.empty_table(), np.zeros(0, dtype=bool)
        for file in self._files:
            for table in file.tables(columns, rows=rows):
                try:
                    typed = table.cast(schema)
                except pa.ArrowInvalid as error:
                    raise InputError(
                        f"{file.path}: {error}; write all files with the same types", code="columns_differ"
                    ) from error
                yield self._missing.left_out(typed), np.zeros(len(table), dtype=bool)

    def _check_usable(self, schema: pa.Schema) -> None:
        held = {field.name: field.type for field in schema if not _is_usable(field)}
        refuse_unusable(self._files[0].path, held)
