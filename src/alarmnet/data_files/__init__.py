"""Table and image files in batches of bounded size, and results written as tables.

A CSV file is refused, rather than guessed at, for: no header, a header that repeats a name or occurs again
between the rows, rows of unequal length, a quote that is never closed, text that is not UTF-8, NUL bytes, a
line longer than 8 MiB. Blank lines are skipped. The separator (comma, semicolon or tab) is the one that the
header has most of; if it has none of these, it is |, ^ or a space, if that makes a table.
"""

from alarmnet._shared.missing_words import MISSING_WORDS
from alarmnet.data_files.batch import Batch
from alarmnet.data_files.cells import ColumnKind
from alarmnet.data_files.databases import Database, database_at, refuse_existing, write_to_database
from alarmnet.data_files.image_files import ImageBatch, ImageFiles, holds_images
from alarmnet.data_files.local_files import local_files, place_of
from alarmnet.data_files.reading import Reading
from alarmnet.data_files.table_files import TableFiles
from alarmnet.data_files.writer import refuse_input, write_table

__all__ = [
    "MISSING_WORDS",
    "Batch",
    "ColumnKind",
    "Database",
    "ImageBatch",
    "ImageFiles",
    "Reading",
    "TableFiles",
    "database_at",
    "holds_images",
    "local_files",
    "place_of",
    "refuse_existing",
    "refuse_input",
    "write_table",
    "write_to_database",
]
