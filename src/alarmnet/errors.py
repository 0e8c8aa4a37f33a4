"""Everything alarmnet raises on purpose.

::

    AlarmnetError
    |-- InputError (ValueError)          the data or a parameter cannot be used as it is
    |   `-- InputTypeError (TypeError)   ... because of its type
    |-- ModelFileError                   a model file is damaged, hostile, foreign or too new
    |-- MissingExtraError (ImportError)  an optional dependency is not installed
    `-- TrainingDivergedError            the training loss stopped being a number

    AlarmnetWarning (UserWarning)        the call went on, and the user should know something
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType


class AlarmnetError(Exception):
    """Base class of all errors that alarmnet raises on purpose."""


class InputError(AlarmnetError, ValueError):
    """Refused input; the message says what is wrong, where, what was expected and what to do.

    Parameters
    ----------
    message
        The message for people.
    code
        A word for programs, such as ``"infinite_value"``; it does not change between releases.
    column
        The faulty column, if there is one.
    rows
        The first faulty row numbers, counted from 0; at most five.

    Examples
    --------
    >>> error = InputError("column 'bytes' holds infinity", code="infinite_value", column="bytes", rows=[3])
    >>> error.code, error.column, error.rows
    ('infinite_value', 'bytes', (3,))
    """

    def __init__(
        self, message: str, *, code: str = "invalid", column: str | None = None, rows: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.column = column
        self.rows = tuple(int(row) for row in rows[:5])


class InputTypeError(InputError, TypeError):
    """Input refused for its type, such as a column that mixes numbers and text."""


@contextmanager
def rows_counted_from(first_row: int) -> Iterator[None]:
    """Errors in the block name rows of a part: count them from the first row of all."""
    try:
        yield
    except InputError as error:
        if not error.rows:
            raise
        rows = [first_row + row for row in error.rows]
        here, of_all = (", ".join(map(str, numbers)) for numbers in (error.rows, rows))
        message = re.sub(rf"(, |but |: )((row|image)s?) {here}\b", rf"\1\2 {of_all}", str(error), count=1)
        raise type(error)(message, code=error.code, column=error.column, rows=rows) from error


class ModelFileError(AlarmnetError):
    """A model file is damaged or cannot be read; the message names the file and the reason."""


class MissingExtraError(AlarmnetError, ImportError):
    """The optional dependency of a feature is missing; the message names the extra that installs it."""


class TrainingDivergedError(AlarmnetError):
    """The loss became infinite or NaN during training."""


class AlarmnetWarning(UserWarning):
    """The category of all alarmnet warnings."""


CODES: Mapping[str, str] = MappingProxyType(
    {
        "absent_label": "a value of the label column that was named does not occur",
        "address": "an address or a port that the server cannot listen on",
        "answer_key": "a key that another answer has",
        "answers_not_taken": "a file to be replaced has answers that the model has not taken",
        "archive": "a zip archive that does not hold exactly one table",
        "bad_cell": "a cell of a CSV file is not of its column's kind",
        "bad_encoding": "a file is not UTF-8 text",
        "bad_pixels": "a pixel is not a finite number",
        "batch_dependent": "a target of your own that mixes the rows of a batch",
        "beyond_float32": "a number does not fit single precision",
        "column_count": "a different number of columns than in training",
        "column_type": "a column of a type that cannot be used",
        "columns_differ": "tables that belong together have different columns",
        "complex": "complex numbers",
        "contradictory_groups": "a scenario names a group both as normal and as anomalous",
        "contradictory_labels": "an image is labelled both normal and anomalous",
        "damaged_array": "an array file is damaged or holds pickled objects",
        "damaged_image": "a picture cannot be decoded",
        "data_changed": "data that changed while triage ran",
        "data_file_checksum": "a data set's file is not the published one",
        "data_file_format": "a data set's file cannot be read",
        "data_file_missing": "a data set's file is not available",
        "database": "a database that cannot be reached or written",
        "decimal_comma": "a number is written with a comma that is, or may be, a decimal sign",
        "deep_image": "a picture has more than 8 bits a channel",
        "duplicate_columns": "a column name occurs twice",
        "duplicate_files": "two pictures would have the same name",
        "empty_column": "a column to keep that has no value in training",
        "empty_file": "a file without a byte",
        "extra_columns": "columns that training did not have",
        "folder_classes": "images in several folders, which may be classes",
        "fortran_order": "an array file of images in Fortran order",
        "image_bomb": "a picture that declares too many pixels",
        "image_range": "images on another scale than in training",
        "image_shape": "images of a shape that is not read, or another than in training",
        "infinite_value": "infinity, where a finite number is needed",
        "invalid": "none of the others",
        "invalid_parameter": "a parameter out of range, or a device that does not exist",
        "json_lines": "a line of JSON lines that is not a JSON object",
        "label": "an infinite label, or one that is neither number nor text",
        "label_order": "labels in another order than their rows, by the index of both",
        "labelled_calibration": "calibration rows to review, although they are labelled normal",
        "labels": "labels that cannot be understood as two classes",
        "lazy": "a lazy frame or a reader, which must be collected first",
        "length_mismatch": "another number of labels than rows or scores",
        "long_line": "a line or header too long to be one",
        "masked": "a masked array",
        "missing_array": "an archive of several arrays, of which none was named",
        "missing_column": "a named column does not exist",
        "missing_columns": "columns of training that are missing",
        "missing_file": "a file that does not exist",
        "missing_folder": "the folder of an output does not exist",
        "missing_generator": "a model's own generator function must be set again",
        "missing_row": "a table of labels names an image number that does not exist",
        "missing_target": "a model's own target network must be given again",
        "mixed_currencies": "amounts of several currencies in a column",
        "mixed_files": "tables and images, or CSV and Parquet, together",
        "mixed_names": "column names of several types",
        "multi_index": "column names of several levels",
        "near_label": "a label that differs from an anomaly's only in spelling",
        "no_anomalies": "no anomaly to learn from",
        "no_column_names": "a model of a table without column names, which the command line cannot use",
        "no_columns": "no column, or none that can be learned from",
        "no_files": "no file was given",
        "no_header": "the first line does not name the columns",
        "no_images": "a folder without pictures",
        "no_labels": "no row is labelled",
        "no_reconstruction": "the target network is not an autoencoder",
        "no_such_row": "a row to explain is not in the data",
        "no_table": "no table to write",
        "not_2d": "not two dimensions",
        "not_a_file": "a folder, pipe or device where a file is needed",
        "not_a_table": "a data set of images where a table is needed",
        "not_an_image": "a file that is not a PNG, JPEG, BMP, TIFF or WebP image",
        "not_calibrating": "an answer about a row that is not in the calibration set",
        "nul_byte": "a file holds a NUL byte",
        "old_model_file": "calibration rows to review, which model files of older versions do not record",
        "one_class": "only one class is labelled",
        "options": "options or parameters that exclude or need each other",
        "other_training": "a checkpoint of another training",
        "output_is_input": "an output that would replace an input",
        "own_method": "a class to compare that cannot be imported, or lacks a method",
        "query": "a query that a database refuses, or that gives no rows",
        "ragged": "rows of unequal length",
        "ragged_row": "a line with another number of cells than the header",
        "repeated_header": "the header occurs again between the rows",
        "row_ids": "ids of rows that are missing, occur too often, or are not one for each row",
        "rows": "too few rows to learn from and to calibrate on",
        "several_images": "a TIFF file of several pages, or an animation",
        "single_image": "one picture where a folder is needed",
        "sparse": "sparse data",
        "store_busy": "other writers kept a store of answers busy too long",
        "store_damaged": "a store of answers that is damaged",
        "store_newer": "a store of answers of a newer version",
        "store_unavailable": "a store of answers that cannot be reached",
        "table_exists": "a table to write that exists already",
        "too_few_for_folds": "fewer anomalies or normal rows than folds",
        "too_few_rows": "fewer rows than are needed",
        "too_large": "more than memory or a model file can hold",
        "too_many_known": "more known anomalies than a scenario has",
        "truncated_file": "a file that is cut short",
        "unclosed_quote": "a quote that is not closed",
        "unknown_column": "a parameter names a column that does not exist",
        "unknown_dataset": "no data set of this name",
        "unknown_format": "a file of another format",
        "unknown_group": "a scenario names a group that its data set does not have",
        "unknown_id": "a queue has no row with this id",
        "unknown_layer": "a target has no layer of this name",
        "unknown_part": "a data set has no part of this name",
        "unknown_scenario": "no scenario of this name",
        "unlearned": "answers that the exported model has not learned",
        "unread_layer": "a layer whose output cannot be read",
        "unreadable": "a file that cannot be read",
        "unstorable": "a value that no model file, or no store of answers, can hold",
        "unwritable": "an output that cannot be written",
        "verdict": "an answer that is not one of the verdicts",
        "wrong_kind_of_data": "images where a table is needed, or the reverse",
        "wrong_shape": "an array of another shape than is needed",
        "wrong_type": "a cell or column of a type that is not read",
        "zeek_log": "a Zeek log without complete first lines",
    }
)
"""Every code of an `InputError`, and what was refused."""
