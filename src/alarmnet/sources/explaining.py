"""Single rows of files explained."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from alarmnet._shared.containers import decoded
from alarmnet._shared.phrases import quoted
from alarmnet.errors import InputError, rows_counted_from
from alarmnet.explain import Explainer, RowExplanation
from alarmnet.explain.sentences import place_of
from alarmnet.explain.words import cell_text
from alarmnet.sources.images import ImageRows
from alarmnet.sources.opened import Rows

WIDEST_BAR = 24
MOST_NAMED = 20
"""Rows with the same id, at most, that are explained."""


def _number(name: str) -> str:
    """A row number without separators of thousands, which pages show.

    >>> _number("1,234,567"), _number("12,34")
    ('1234567', '12,34')
    """
    return name.replace(",", "") if re.fullmatch(r"[1-9][0-9]{0,2}(,[0-9]{3})+", name) else name


def explained_rows(
    explainer: Explainer, rows: Rows, wanted: Sequence[str], columns: int
) -> Iterator[tuple[str, RowExplanation]]:
    """The wanted rows by id or number, in the order of the files; an id may name `MOST_NAMED` rows at most."""
    if not rows.has_ids:
        wanted = [_number(name) for name in wanted]
    missing, named = dict.fromkeys(wanted), Counter[str]()
    for part in rows.parts(flag=True):
        column = decoded(part.ids)
        texts = column.cast(pa.string()).to_pylist()  # as `alarmnet score` writes them: 17, not 17.0
        ids = [
            text if text in missing else str(value)
            for text, value in zip(texts, column.to_pylist(), strict=True)
        ]
        chosen = np.array([place for place, name in enumerate(ids) if name in missing], dtype=np.intp)
        if bad := [ids[place] for place in chosen if not part.usable[place]]:
            raise InputError(f'row {bad[0]} cannot be scored; "alarmnet score" says why', code="bad_cell")
        named.update(ids[place] for place in chosen)
        if len(chosen) and max(named.values()) <= MOST_NAMED:
            with rows_counted_from(part.first_row):
                found = explainer(part.X, chosen, columns).rows
            for place, row in zip(chosen, found, strict=True):
                yield ids[place], replace(row, row=part.first_row + row.row)
        wanted = [name for name in wanted if name not in ids]
    for name, count in named.most_common(1):
        if count > MOST_NAMED:
            raise InputError(
                f"{count:,} rows have the id {name!r}, and at most {MOST_NAMED} of one id are explained: leave "
                "--id out and name rows by their numbers, or name a column that is different in each row",
                code="row_ids",
            )
    if wanted:
        what, how = "id" if rows.has_ids else "row", "without --id, rows are counted from 0"
        if isinstance(rows, ImageRows) and rows.has_ids:
            what, how = "image", "name images by their paths in the folder"
        raise InputError(f"there is no {what} {quoted(wanted)} in the data; {how}", code="no_such_row")


def explanation_lines(name: str, row: RowExplanation) -> Iterator[str]:
    """An explanation for a terminal: a sentence, a bar for each reason, and similar known anomalies."""
    number = "" if name == str(row.row) else f" (row {row.row:,})"
    yield f"Row {name}{number}: {row.sentence}"
    largest = max((abs(reason.contribution) for reason in row.reasons), default=1.0)
    for reason in row.reasons:
        bar = "#" * max(1, round(WIDEST_BAR * abs(reason.contribution) / largest))
        value = f"{cell_text(reason.column)} = {reason.value} ({reason.normal})"
        yield f"  {reason.contribution:+7.2f} {bar:{WIDEST_BAR}} {value}"
    if row.known is None:
        yield "  The model keeps no known anomalies to compare with: fit or refit it with this version."
    for other in row.known or ():
        yield f"  Known anomaly {place_of(other.row)}: {100 * other.alike:.0f}% alike."
