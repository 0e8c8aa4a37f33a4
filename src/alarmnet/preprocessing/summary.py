"""What stands out in a table that is about to be encoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from alarmnet.preprocessing.cells import Cells
from alarmnet.preprocessing.columns import CategoryColumn, Column, DatetimeColumn, NumberColumn
from alarmnet.preprocessing.frames import Frame
from alarmnet.preprocessing.time_forms import MILLISECONDS_A_DAY


@dataclass(frozen=True)
class UnseenCategories:
    """Categories of one column that training did not have.

    ``count`` is a number of cells, ``examples`` are the five most frequent texts, and ``near_matches`` maps
    texts to the known category they differ from only in case, spaces or Unicode form.
    """

    count: int
    examples: tuple[str, ...]
    near_matches: Mapping[str, str]


@dataclass(frozen=True)
class EncodingSummary:
    """What stands out in a table that is about to be encoded; columns without a finding are not listed.

    ``missing`` and ``outside`` count cells by column (``outside``: numbers beyond the range of the rows that the
    encoder learned from), ``unseen`` tells of new categories, ``newly_missing`` names the columns that have missing
    cells and had none in those rows. ``midnights`` counts, by column, times at midnight, as dates alone are.
    ``left_out`` maps the columns that are not encoded to the reason.
    """

    rows: int
    missing: Mapping[str, int]
    unseen: Mapping[str, UnseenCategories]
    outside: Mapping[str, int]
    newly_missing: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    midnights: Mapping[str, int] = field(default_factory=dict)


def _unseen(cells: Cells, column: CategoryColumn) -> UnseenCategories:
    found = column.unseen(cells)
    ranked = sorted(found, key=lambda text: (-found[text], text))
    return UnseenCategories(
        count=sum(found.values()), examples=tuple(ranked[:5]), near_matches=column.near_matches(ranked)
    )


def summary_of(
    frame: Frame, columns: Mapping[str, tuple[int, Column]], *, left_out: Mapping[str, str]
) -> EncodingSummary:
    """Count what stands out in the encoded `columns`, each with its place in the frame."""
    missing: dict[str, int] = {}
    unseen: dict[str, UnseenCategories] = {}
    outside: dict[str, int] = {}
    midnights: dict[str, int] = {}
    for label, (index, column) in columns.items():
        cells = column.read(frame.column(index))
        missing[label] = int(np.count_nonzero(cells.missing))
        if isinstance(column, NumberColumn):
            outside[label] = column.count_outside(cells)
        if isinstance(column, CategoryColumn):
            unseen[label] = _unseen(cells, column)
        if isinstance(column, DatetimeColumn):
            midnights[label] = int(np.count_nonzero(cells.values % MILLISECONDS_A_DAY == 0))
    return EncodingSummary(
        rows=frame.rows,
        missing={label: count for label, count in missing.items() if count},
        unseen={label: found for label, found in unseen.items() if found.count},
        outside={label: count for label, count in outside.items() if count},
        newly_missing=tuple(
            label for label, count in missing.items() if count and not columns[label][1].missing
        ),
        left_out=dict(left_out),
        midnights={label: count for label, count in midnights.items() if count},
    )
