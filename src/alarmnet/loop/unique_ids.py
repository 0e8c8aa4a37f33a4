"""The ids of all rows of files, checked before a queue is made of them."""

from functools import partial

import numpy as np

from alarmnet._shared.phrases import rows_phrase
from alarmnet.data_files import TableFiles
from alarmnet.errors import InputError
from alarmnet.loop.keys import id_key


def check_ids(files: TableFiles, column: str, *, place: object) -> None:
    """Refuse a column of files in which an id is missing or names two rows; `place` is what the files are called.

    Memory holds eight bytes a row, since ids are compared by hashes: of ten million ids, two that differ have the
    same hash in one of 300,000 cases.
    """
    batches = partial(files.batches, columns=[column])
    hashes = np.concatenate(
        [
            np.fromiter(map(hash, map(id_key, batch.table[0].to_pylist())), np.int64, len(batch.table))
            for batch in batches()
        ]
    )
    rows = np.flatnonzero(hashes == hash(""))
    fault = f"there is no id in {rows_phrase(rows)}"
    order = np.argsort(hashes, kind="stable")
    again = order[:-1][hashes[order[1:]] == hashes[order[:-1]]]
    if not len(rows) and len(again):
        rows = np.flatnonzero(hashes == hashes[again.min()])
        found = (batch for batch in batches() if batch.first_row + len(batch.table) > rows[0])
        batch = next(found)
        name = id_key(batch.table[0][int(rows[0]) - batch.first_row].as_py())
        fault = f"{name!r} is in {rows_phrase(rows)}"
    if len(rows):
        raise InputError(
            f"{place}: column {column!r} names the rows, so its values have to differ and none may be missing, but "
            f"{fault}, counted from 0 over all files. Name another column, or leave --id out.",
            code="row_ids",
            column=column,
            rows=rows[:5].tolist(),
        )
