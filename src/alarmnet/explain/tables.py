"""Explanations of rows of a table."""

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._frames import Frame, read_frame, value_of
from alarmnet._times import read_times
from alarmnet.explain.attribution import Attribution, attribute, column_masks
from alarmnet.explain.explanation import (
    Counterfactual,
    Difference,
    Explanation,
    Reason,
    RowExplanation,
    Similar,
)
from alarmnet.explain.groups import groups_of
from alarmnet.explain.model import Floats, Index, Matrix, Scored, evenly, loudest, references
from alarmnet.explain.neighbours import Likeness
from alarmnet.explain.sentences import sentence
from alarmnet.explain.words import MISSING, cell_text, words_of

REFERENCES = 3
"""Normal rows that a row is compared with."""
CANDIDATES = 4
"""Columns that are combined in every way; more were no better on development halves."""
NORMAL_ROWS = 2000
"""Held-out normal rows to find similar ones among, at most."""
MOST_SIMILAR = 3
"""Known anomalies that are named."""
UNLIKE = 0.1
"""The difference in rank from which on two values of a column are told as different."""


class TableExplainer:
    """Explains rows of tables by one detector; it can be used for any number of tables."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
        sources = list(scored.encoder.source_columns_)
        self.names = tuple(dict.fromkeys(sources))
        numbers = {name: number for number, name in enumerate(self.names)}
        self.places: Index = np.array([numbers[source] for source in sources], dtype=np.intp)
        normal = scored.normal[evenly(len(scored.normal), NORMAL_ROWS)]
        self._usual = references(scored, normal)
        self._likeness = Likeness(normal, self.places)
        self._usual_ranks = self._likeness.ranks(self._usual)
        self._known_ranks = None if scored.known is None else self._likeness.ranks(scored.known)
        self._words = words_of(scored.encoder, normal)
        self._starts = np.searchsorted(self.places, np.arange(len(self.names)))

    def values(self, encoded: Matrix) -> tuple[Floats, Floats, Floats]:
        """Contributions (N, C), the reference's logits (N,) and the rows' (N,), of encoded rows (N, F)."""
        attribution, _, _ = self._attributed(encoded)
        return self._averaged(attribution)

    def explain(self, X: Any, numbers: Index, columns: int) -> Explanation:
        """Explain rows, whose numbers are told."""
        encoded = self.scored.encoder.transform(X)
        attribution, usual, ranks = self._attributed(encoded)
        values, base, logits = self._averaged(attribution)
        cells = self._cells(X)
        groups = groups_of(attribution, REFERENCES, values, self.names)
        resets = self._counterfactuals(encoded, usual, attribution, values, logits)
        spoke = loudest(self.scored, encoded)
        told = tuple(
            self._row(
                int(number),
                encoded[place],
                ranks[place],
                cells[place],
                values=values[place],
                score=float(logits[place] - self.scored.threshold),
                reference=float(base[place] - self.scored.threshold),
                spoke=spoke[place],
                usual=usual[place * REFERENCES],
                groups=groups[place],
                reset=resets[place],
                columns=columns,
            )
            for place, number in enumerate(numbers)
        )
        return Explanation(
            names=self.names,
            values=values,
            base_value=base,
            logits=logits,
            threshold=self.scored.threshold,
            data=cells,
            rows=told,
        )

    def _attributed(self, encoded: Matrix) -> tuple[Attribution, Matrix, Matrix]:
        """Each row against its references, these (N * REFERENCES, F), and the rows' ranks (N, F)."""
        ranks = self._likeness.ranks(encoded)
        usual = self._usual[self._likeness.nearest(ranks, self._usual_ranks, REFERENCES).ravel()]
        repeated = np.repeat(encoded, REFERENCES, axis=0)
        found = attribute(self.scored.score, repeated, usual, self.places, most=CANDIDATES)
        return found, usual, ranks

    @staticmethod
    def _averaged(found: Attribution) -> tuple[Floats, Floats, Floats]:
        values = found.values.reshape(-1, REFERENCES, found.values.shape[1]).mean(axis=1)
        return values, found.base.reshape(-1, REFERENCES).mean(axis=1), found.logits[::REFERENCES]

    def _counterfactuals(
        self, encoded: Matrix, usual: Matrix, found: Attribution, values: Floats, logits: Floats
    ) -> list[tuple[Index, Matrix, float] | None]:
        """For each alarm the fewest columns to reset (k,), the normal row to take from (F,), and the new logit."""
        size = found.game.candidates.shape[1]
        after = found.game.with_candidates_reset().reshape(-1, REFERENCES, 2**size)
        counts = np.array([combination.bit_count() for combination in range(2**size)])
        resets: list[tuple[Index, Matrix, float] | None] = [None] * len(encoded)
        for place in np.flatnonzero(logits > self.scored.threshold):
            quiet = np.argwhere(after[place] <= self.scored.threshold)  # (reference, combination)
            if not len(quiet):
                resets[place] = self._greedy(encoded[place], usual[place * REFERENCES], values[place])
                continue
            left = after[place][*quiet.T]
            best = np.lexsort((left, counts[quiet[:, 1]]))[0]
            reference, combination = quiet[best]
            pair = place * REFERENCES + reference
            bits = combination >> np.arange(size) & 1 > 0
            resets[place] = found.game.candidates[pair][bits], usual[pair], float(left[best])
        return resets

    def _greedy(self, row: Matrix, usual: Matrix, values: Floats) -> tuple[Index, Matrix, float]:
        """Columns in the order of their contributions, as many as it takes; all of them make the normal row."""
        differs = np.zeros(len(self.names), dtype=bool)
        differs[self.places[row != usual]] = True
        order = [column for column in np.argsort(-values, kind="stable") if differs[column]]
        kept = np.ones((len(order), len(self.names)), dtype=bool)
        for count in range(len(order)):
            kept[count:, order[count]] = False
        logits = self.scored.score(column_masks(kept, row[None], usual[None], self.places))
        first = int(np.argmax(logits <= self.scored.threshold))
        return np.array(order[: first + 1]), usual, float(logits[first])

    def _row(
        self,
        number: int,
        encoded: Matrix,
        ranks: Matrix,
        cells: NDArray[Any],
        *,
        values: Floats,
        score: float,
        reference: float,
        spoke: str,
        usual: Matrix,
        groups: tuple[Any, ...],
        reset: tuple[Index, Matrix, float] | None,
        columns: int,
    ) -> RowExplanation:
        order = np.argsort(-np.abs(values), kind="stable")[:columns]
        reasons = tuple(
            Reason(
                column=self.names[column],
                value=self._value(column, cells, encoded),
                normal=self._words[column].usual(self._part(encoded, column)),
                contribution=float(values[column]),
            )
            for column in sorted(order, key=lambda column: -values[column])
            if values[column]
        )
        known = self._known(encoded, ranks, cells, values, columns)
        counterfactual = None
        if reset:
            changed, source, logit = reset
            changes = tuple(self._difference(column, cells, encoded, source) for column in changed)
            counterfactual = Counterfactual(changes=changes, score=logit - self.scored.threshold)
        said = sentence(
            score=score,
            reference=reference,
            reasons=reasons,
            groups=groups,
            counterfactual=counterfactual,
            known=known,
        )
        normal = self._similar(None, usual, encoded, ranks, cells, self._weights(values), columns)
        return RowExplanation(
            row=number,
            score=score,
            alarm=score > 0,
            spoke=spoke,
            reference=reference,
            reasons=reasons,
            groups=groups,
            normal=normal,
            known=known,
            counterfactual=counterfactual,
            sentence=said,
        )

    def _weights(self, values: Floats) -> Floats:
        """What each column counts (C,) when rows are compared: all a little, and those that raise the score."""
        raising = np.maximum(values, 0)
        return 1 / len(values) + raising / max(float(raising.sum()), 1e-12)

    def _known(
        self, encoded: Matrix, ranks: Matrix, cells: NDArray[Any], values: Floats, columns: int
    ) -> tuple[Similar, ...] | None:
        known, numbers = self.scored.known, self.scored.known_numbers
        if known is None or numbers is None or self._known_ranks is None:
            return None
        weights = self._weights(values)
        apart = self._apart(ranks, self._known_ranks) @ weights
        nearest = np.argsort(apart, kind="stable")[:MOST_SIMILAR]
        return tuple(
            self._similar(int(numbers[place]), known[place], encoded, ranks, cells, weights, columns)
            for place in nearest
        )

    def _apart(self, ranks: Matrix, others: Matrix) -> Floats:
        """How far rows (K, F) are from one in each column (K, C), in ranks."""
        return np.add.reduceat(np.abs(others - ranks), self._starts, axis=1).astype(np.float64)

    def _similar(
        self,
        number: int | None,
        other: Matrix,
        encoded: Matrix,
        ranks: Matrix,
        cells: NDArray[Any],
        weights: Floats,
        columns: int,
    ) -> Similar:
        apart = self._apart(ranks, self._likeness.ranks(other[None]))[0]
        order = [column for column in np.argsort(-apart, kind="stable")[:columns] if apart[column] >= UNLIKE]
        return Similar(
            row=number,
            alike=max(0.0, 1 - float(apart @ weights / weights.sum())),
            differs=tuple(self._difference(column, cells, encoded, other) for column in order),
        )

    def _difference(self, column: int, cells: NDArray[Any], encoded: Matrix, other: Matrix) -> Difference:
        return Difference(
            column=self.names[column],
            value=self._value(column, cells, encoded),
            other=self._words[column].of(self._part(other, column)),
        )

    def _part(self, encoded: Matrix, column: int) -> Matrix:
        start = self._starts[column]
        stop = self._starts[column + 1] if column + 1 < len(self._starts) else len(encoded)
        return encoded[start:stop]

    def _value(self, column: int, cells: NDArray[Any], encoded: Matrix) -> str:
        """A cell in words; what is missing by any word is missing."""
        text = cell_text(cells[column])
        kind = self._words[column].learned["kind"]
        if text == MISSING or kind != "datetime" or isinstance(cells[column], str):
            return text
        form = self._words[column].learned.get("form")
        return _date_text(cells[column], form) if form else text

    def _cells(self, table: Any) -> NDArray[Any]:
        """The cells of a few rows by column (N, C), as Python has them."""
        frame: Frame = read_frame(table)
        encoder = self.scored.encoder
        own = encoder.columns_ or [f"x{index}" for index in range(len(frame.raw))]
        labels = frame.names if encoder.columns_ and frame.names else own
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
