"""Explanations of rows of a table."""

import datetime
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.evenly import evenly
from alarmnet.explain.attribution import AT_ONCE, CLOSE, Attribution, attribute
from alarmnet.explain.explanation import (
    Counterfactual,
    Difference,
    Explanation,
    Group,
    Reason,
    RowExplanation,
    Similar,
)
from alarmnet.explain.groups import groups_of
from alarmnet.explain.mixtures import Floats, Index, Matrix, mixed_by
from alarmnet.explain.model import Scored, loudest, references
from alarmnet.explain.neighbours import Likeness, representative
from alarmnet.explain.sentences import sentence
from alarmnet.explain.words import MISSING, cell_text, words_of
from alarmnet.preprocessing.cells import value_of
from alarmnet.preprocessing.column_groups import ColumnGroups
from alarmnet.preprocessing.frames import Frame, read_frame
from alarmnet.preprocessing.time_forms import read_times

SIMILAR, REPRESENTATIVE = 4, 6
"""Normal rows that a row is compared with: those most like it, and some that are the same for every row."""
CHANGES = 2_000
"""About the most columns that are changed for a row, one at a time, in all comparisons together. Each change takes
longer in wide tables, so their rows are compared with fewer."""
NORMAL_ROWS = 500
"""The most held-out normal rows that are searched for similar rows."""
REPRESENTED = 250
"""The most normal rows that representative rows are chosen from."""
MOST_SIMILAR = 3
"""The most known anomalies that are named."""
TRIED = 8
"""How many numbers of columns to reset are tried at once."""
UNLIKE = 0.1
"""The difference in rank from which two values of a column count as different."""

Reset = tuple[Index, Matrix, float]
"""The columns to reset (k,), the normal row whose values they get (F,), and the logit after that."""


@dataclass(frozen=True)
class _Row:
    """A row to explain: encoded (F,), as ranks (F,), its cells and contributions (C,)."""

    encoded: Matrix
    ranks: Matrix
    cells: NDArray[Any]
    values: Floats

    @functools.cached_property
    def weights(self) -> Floats:
        """The weight of each column (C,) when rows are compared: small for all, larger if it raises the score."""
        raising = np.maximum(self.values, 0)
        return np.asarray(1 / len(raising) + raising / max(float(raising.sum()), 1e-12))


TRUE_OR_FALSE = {"0": "false", "0.0": "false", "false": "false", "1": "true", "1.0": "true", "true": "true"}
"""What cells of a column of booleans are called."""


class TableExplainer:
    """Explains rows of tables by one detector; it can be used for any number of tables."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
        groups = ColumnGroups.of(scored.encoder.source_columns_)
        self.names, self.places, self._starts = groups.names, groups.places, groups.starts
        normal = scored.normal[evenly(len(scored.normal), NORMAL_ROWS)]
        self._usual, self._usual_logits = references(scored, normal)
        self._likeness = Likeness(normal, self.places)
        self._usual_ranks = self._likeness.ranks(self._usual)
        compared = min(max(CHANGES // len(self.names), CLOSE), SIMILAR + REPRESENTATIVE)
        self._count_similar = max(round(compared * SIMILAR / (SIMILAR + REPRESENTATIVE)), CLOSE)
        some = evenly(len(self._usual), REPRESENTED)
        self._representative = some[representative(self._usual_ranks[some], compared - self._count_similar)]
        self._known_ranks = None if scored.known is None else self._likeness.ranks(scored.known)
        self._words = words_of(scored.encoder, normal)

    def values(self, encoded: Matrix) -> tuple[Floats, Floats, Floats]:
        """Contributions (N, C), the reference's logits (N,) and the rows' (N,), of encoded rows (N, F)."""
        found, _, _ = self._attributed(encoded)
        return found.values, found.base, found.logits

    def references(self, encoded: Matrix) -> Matrix:
        """The normal rows that rows (N, F) are compared with, (N, R, F): the most similar ones first."""
        return self._usual[self._references(self._likeness.ranks(encoded))]

    def explain(self, X: Any, numbers: Index, columns: int) -> Explanation:
        """Explain rows, whose numbers are told."""
        encoded = self.scored.encoder.transform(X)
        found, usual, ranks = self._attributed(encoded)
        cells, groups = self._cells(X), groups_of(found, self.names)
        resets = self._counterfactuals(encoded, self._usual[usual[:, :CLOSE]], found)
        spoke = loudest(self.scored, encoded)
        told = tuple(
            self._told(
                _Row(encoded[place], ranks[place], cells[place], found.values[place]),
                int(number),
                score=float(found.logits[place] - self.scored.threshold),
                reference=float(found.base[place] - self.scored.threshold),
                spoke=spoke[place],
                usual=int(usual[place, 0]),
                groups=groups[place],
                reset=resets[place],
                columns=columns,
            )
            for place, number in enumerate(numbers)
        )
        return Explanation(
            names=self.names,
            values=found.values,
            base_value=found.base,
            logits=found.logits,
            threshold=self.scored.threshold,
            data=cells,
            rows=told,
        )

    def _attributed(self, encoded: Matrix) -> tuple[Attribution, Index, Matrix]:
        """Each row's attribution, the numbers of its references (N, R), and the rows' ranks (N, F)."""
        ranks = self._likeness.ranks(encoded)
        usual = self._references(ranks)
        references, base = self._usual[usual], self._usual_logits[usual]
        found = attribute(self.scored.score, encoded, references, base, self.places, mix=self.scored.mix)
        return found, usual, ranks

    def _references(self, ranks: Matrix) -> Index:
        """The numbers (N, R) of the rows that each row, as ranks (N, F), is compared with."""
        similar = self._likeness.nearest(ranks, self._usual_ranks, self._count_similar)
        return np.concatenate([similar, np.tile(self._representative, (len(similar), 1))], axis=1)

    def _counterfactuals(self, encoded: Matrix, usual: Matrix, found: Attribution) -> list[Reset | None]:
        """For each alarm, the columns to reset to the values of a similar row (N, CLOSE, F) so that it stops."""
        size = found.game.candidates.shape[1]
        after = found.game.with_candidates_reset().reshape(-1, CLOSE, 2**size)
        counts = np.array([combination.bit_count() for combination in range(2**size)])
        resets: list[Reset | None] = [None] * len(encoded)
        harder = []
        for place in np.flatnonzero(found.logits > self.scored.threshold).tolist():
            quiet = np.argwhere(after[place] <= self.scored.threshold)  # (reference, combination)
            if not len(quiet):
                harder.append(place)
                continue
            left = after[place][*quiet.T]
            best = np.lexsort((left, counts[quiet[:, 1]]))[0]
            reference, combination = quiet[best]
            bits = combination >> np.arange(size) & 1 > 0
            columns = found.game.candidates[place * CLOSE][bits]
            resets[place] = columns, usual[place, reference], float(left[best])
        step = max(1, AT_ONCE // (encoded.shape[1] * len(self.names)))
        for start in range(0, len(harder), step):
            part = np.array(harder[start : start + step])
            found_resets = self._greedy(encoded[part], usual[part, 0], found.values[part])
            for place, reset in zip(part, found_resets, strict=True):
                resets[place] = reset
        return resets

    def _greedy(self, rows: Matrix, usual: Matrix, values: Floats) -> list[Reset | None]:
        """Reset columns in the order of their contributions until the alarm stops; all make the normal row."""
        orders = []
        for row, other, shares in zip(rows, usual, values, strict=True):
            differs = np.unique(self.places[row != other])
            orders.append(differs[np.argsort(-shares[differs], kind="stable")])
        mixed = (self.scored.mix or mixed_by(self.scored.score))(rows, usual, self.places)
        resets: list[Reset | None] = [None] * len(rows)  # None remains if every normal row raises an alarm
        for first in range(1, len(self.names) + 1, TRIED):
            tried = [
                (place, count)
                for place, order in enumerate(orders)
                if resets[place] is None
                for count in range(first, min(first + TRIED, len(order) + 1))
            ]
            if not tried:
                break
            masks = np.ones((len(tried), len(self.names)), dtype=bool)
            for mask, (place, count) in zip(masks, tried, strict=True):
                mask[orders[place][:count]] = False
            logits = mixed(np.array([place for place, _ in tried]), masks)
            for (place, count), logit in zip(tried, logits.tolist(), strict=True):
                if resets[place] is None and logit <= self.scored.threshold:
                    resets[place] = orders[place][:count], usual[place], logit
        return resets

    def _told(
        self,
        row: _Row,
        number: int,
        *,
        score: float,
        reference: float,
        spoke: str,
        usual: int,
        groups: tuple[Group, ...],
        reset: Reset | None,
        columns: int,
    ) -> RowExplanation:
        order = np.argsort(-np.abs(row.values), kind="stable")[:columns]
        reasons = tuple(
            Reason(
                column=self.names[column],
                value=self._value(column, row),
                normal=self._words[column].usual(self._part(row.encoded, column)),
                contribution=float(row.values[column]),
            )
            for column in sorted(order, key=lambda column: -row.values[column])
            if row.values[column]
        )
        known = self._known(row, columns)
        counterfactual = None
        if reset:
            changed, source, logit = reset
            changes = tuple(self._difference(column, row, source) for column in changed)
            counterfactual = Counterfactual(changes=changes, score=logit - self.scored.threshold)
        said = sentence(
            score=score,
            reference=reference,
            reasons=reasons,
            groups=groups,
            counterfactual=counterfactual,
            known=known,
        )
        return RowExplanation(
            row=number,
            score=score,
            alarm=score > 0,
            spoke=spoke,
            reference=reference,
            reasons=reasons,
            groups=groups,
            normal=self._similar(row, None, self._usual[usual], self._usual_ranks[usual], columns),
            known=known,
            counterfactual=counterfactual,
            sentence=said,
        )

    def _known(self, row: _Row, columns: int) -> tuple[Similar, ...] | None:
        known, numbers, ranks = self.scored.known, self.scored.known_numbers, self._known_ranks
        if known is None or numbers is None or ranks is None:
            return None
        nearest = np.argsort(self._apart(row, ranks) @ row.weights, kind="stable")[:MOST_SIMILAR]
        return tuple(
            self._similar(row, _number(numbers[place]), known[place], ranks[place], columns)
            for place in nearest
        )

    def _apart(self, row: _Row, ranks: Matrix) -> Floats:
        """How far others (K, F) are from a row in each column (K, C), in ranks."""
        return np.add.reduceat(np.abs(ranks - row.ranks), self._starts, axis=1).astype(np.float64)

    def _similar(self, row: _Row, number: int | None, other: Matrix, ranks: Matrix, columns: int) -> Similar:
        apart = self._apart(row, ranks[None])[0]
        order = [column for column in np.argsort(-apart, kind="stable")[:columns] if apart[column] >= UNLIKE]
        return Similar(
            row=number,
            alike=max(0.0, 1 - float(apart @ row.weights / row.weights.sum())),
            differs=tuple(self._difference(column, row, other) for column in order),
        )

    def _difference(self, column: int, row: _Row, other: Matrix) -> Difference:
        return Difference(
            column=self.names[column],
            value=self._value(column, row),
            other=self._words[column].of(self._part(other, column)),
        )

    def _part(self, encoded: Matrix, column: int) -> Matrix:
        start = self._starts[column]
        stop = self._starts[column + 1] if column + 1 < len(self._starts) else len(encoded)
        return encoded[start:stop]

    def _value(self, column: int, row: _Row) -> str:
        """A cell in words; a number that is a time is a date, and 1 is true in a column of booleans."""
        cell, learned = row.cells[column], self._words[column].learned
        if learned.get("boolean") and (truth := TRUE_OR_FALSE.get(str(cell).strip().lower())):
            return truth
        if learned["kind"] == "datetime" and learned.get("form") and not isinstance(cell, str):
            return _date_text(cell, learned["form"])
        return cell_text(cell)

    def _cells(self, table: Any) -> NDArray[Any]:
        """The cells of a few rows by column (N, C), as Python has them."""
        frame: Frame = read_frame(table)
        encoder = self.scored.encoder
        labels = frame.names if encoder.columns_ and frame.names else encoder.input_labels_
        places = {label: index for index, label in enumerate(labels)}
        cells = np.empty((frame.rows, len(self.names)), dtype=object)
        for column, name in enumerate(self.names):
            cells[:, column] = [value_of(cell) for cell in frame.column(places[name])]
        return cells


def _date_text(cell: Any, form: str) -> str:
    """A number that is a time, such as seconds since 1970, as a date."""
    found = read_times(np.array([cell]), form).values
    if np.isnan(found[0]):
        return MISSING
    try:
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=float(found[0]))
    except OverflowError:
        return cell_text(cell)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _number(number: np.intp) -> int | None:
    """A known anomaly's row number; None if it is of an earlier table."""
    return None if number < 0 else int(number)
