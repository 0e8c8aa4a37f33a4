"""What is shown of a row: its values, why it scored, rows that are alike, and the nearest found anomaly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet import plots
from alarmnet._shared.evenly import evenly
from alarmnet.detectors import BaseDetector
from alarmnet.explain import Explainer, Explanation
from alarmnet.explain.images import tinted
from alarmnet.explain.neighbours import Likeness
from alarmnet.explain.reporting import row_facts
from alarmnet.explain.tables import NORMAL_ROWS
from alarmnet.explain.words import cell_text, words_of
from alarmnet.loop.pool import Pool
from alarmnet.preprocessing.cells import value_of
from alarmnet.preprocessing.column_groups import ColumnGroups
from alarmnet.preprocessing.frames import read_frame
from alarmnet.preprocessing.rows import take

Matrix = NDArray[np.float32]
Index = NDArray[np.intp]

BARS = 6
"""Columns that are drawn for a row, at most."""
COMPARED = 6
"""Columns that are set side by side with a found anomaly, at most."""
UNLIKE = 0.1
"""The difference in rank, or the mean difference of pixels, from which on two rows are not alike."""
ALIKE_PIXELS = 0.02
"""The mean difference of pixels, on the scale of the encoder, up to which two images are alike."""
LARGEST_IMAGE = 512
"""Pixels a side of an image that is shown, at most."""
COMMON = 0.05
"""The largest share of normal rows like a value that is shown next to it."""
WIDE = 100
"""Columns from which on explaining a row takes longer than a reviewer should wait."""
LONGEST_CELL = 2_000
"""Letters of a cell that are shown when it is pointed at, at most."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """A cell of a row in words; `whole` is longer, `unusual` says how rare it is among normal rows."""

    column: str
    text: str
    whole: str
    unusual: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """A row, ready to be shown; of images `values` is empty, of tables the pictures are.

    `score` is the margin. `why` is empty while the row is not explained yet.
    """

    place: int
    key: str
    number: int
    score: float
    p_value: float
    values: tuple[Value, ...]
    why: dict[str, Any]
    alike: Index
    weights: NDArray[np.float64]
    image: str = ""
    heat: str = ""


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The found anomaly that is most like a row: how alike (0 to 1), and columns of both, or its picture."""

    key: str
    number: int
    alike: float
    pairs: tuple[tuple[str, str, str], ...]
    image: str = ""


def cell_words(cell: Any) -> tuple[str, str]:
    r"""A cell in words: on one line, and as much of it as is shown when it is pointed at.

    >>> cell_words("a\n<b>")
    ('a <b>', 'a <b>')
    >>> len(cell_words("x" * 1_000_000)[1])
    2033
    """
    value = value_of(cell)
    if not isinstance(value, str) or len(value) <= LONGEST_CELL:
        text = cell_text(value)
        return text, " ".join(value.split()) if isinstance(value, str) else text
    head = value[:LONGEST_CELL]
    return cell_text(head), f"{' '.join(head.split())}\u2026 ({len(value):,} characters in total)"


def rarity(share: float) -> str:
    """How rare a value is, from the share of normal rows like it; nothing if more than one in 20 is.

    >>> rarity(0.1), rarity(0.01), rarity(0.0)
    ('', '1 in 100', 'none')
    """
    if share > COMMON:
        return ""
    return f"1 in {round(1 / share):,}" if share else "none"


class Deck:
    """Cards of a pool's rows, as one detector sees them.

    Parameters
    ----------
    pool
        The rows.
    detector
        Explains them.
    """

    def __init__(self, pool: Pool, detector: BaseDetector) -> None:
        self.pool, self.detector = pool, detector
        scored = detector.scored_encoded()
        self._explainer = Explainer(scored)
        self._images = scored.normal.ndim > 2
        self._encoded: Matrix = detector.encoder_.transform(pool.X)
        if self._images:
            self._columns: tuple[str, ...] = ()
            return
        frame = read_frame(pool.X)
        self._columns = frame.names or ()
        groups = ColumnGroups.of(scored.encoder.source_columns_)
        self._names, self._starts = groups.names, groups.starts
        self._words = words_of(scored.encoder, scored.normal[evenly(len(scored.normal), NORMAL_ROWS)])
        ranks = Likeness(scored.normal, groups.places).ranks(self._encoded)
        self._ranks: Matrix = np.asfortranarray(ranks)

    def cards(self, places: Sequence[int]) -> list[Card]:
        """Make the cards of these rows; explaining several at once takes little longer than one."""
        if not places:
            return []
        chosen = np.array(places, dtype=np.intp)
        rows = take(self.pool.X, chosen)
        found = self._explainer(rows, columns=BARS)
        p_values = self.detector.p_value(rows)
        if self._images:
            return [
                self._of_image(found, at, int(place), float(p_values[at])) for at, place in enumerate(chosen)
            ]
        deviations = self.detector.column_deviations(rows)
        return [
            self._explained(found, at, int(place), float(p_values[at]), deviations[at])
            for at, place in enumerate(chosen)
        ]

    def at_once(self, place: int) -> Card:
        """Make the card of a row that somebody waits for; wide tables take long to explain, so without that."""
        if len(self._columns) < WIDE:
            return self.cards([place])[0]
        row = take(self.pool.X, np.array([place], dtype=np.intp))
        logits = self.detector.logits(row)
        return self._of_table(
            place,
            float(self.detector.p_values_of(logits)[0]),
            self.detector.column_deviations(row)[0],
            score=float(logits[0] - self.detector.threshold_),
            why={},
            weights=np.ones(len(self._names)),
        )

    def nearest(self, card: Card, found: Sequence[int]) -> Nearest | None:
        """Find the anomaly among the places `found` that is most like a card's row; None where there is none."""
        others = np.array([place for place in found if place != card.place], dtype=np.intp)
        if not len(others):
            return None
        if self._images:
            apart = np.array([self._pixels_apart(card.place, np.array([other]))[0] for other in others])
            best = int(np.argmin(apart))
            place, alike, pairs = int(others[best]), 1 - float(apart[best]), ()
            image = plots.inline_image(self._encoded[place], largest=LARGEST_IMAGE)
            return Nearest(
                key=self.pool.keys[place],
                number=int(self.pool.numbers[place]),
                alike=alike,
                pairs=pairs,
                image=image,
            )
        apart = np.add.reduceat(np.abs(self._ranks[others] - self._ranks[card.place]), self._starts, axis=1)
        distances = apart @ card.weights / card.weights.sum()
        best = int(np.argmin(distances))
        place = int(others[best])
        order = np.argsort(-card.weights * (1 + apart[best]), kind="stable")[:COMPARED]
        names = self._names
        return Nearest(
            key=self.pool.keys[place],
            number=int(self.pool.numbers[place]),
            alike=max(0.0, 1 - float(distances[best])),
            pairs=tuple(
                (names[column], self._text(names[column], card.place), self._text(names[column], place))
                for column in order
            ),
        )

    def line(self, place: int, columns: Sequence[str]) -> list[str]:
        """The cells of a row in these columns, in words."""
        return [self._text(column, place) for column in columns]

    def picture(self, place: int) -> str:
        """An image as a small data URI."""
        return plots.inline_image(self._encoded[place])

    @property
    def images(self) -> bool:
        """Whether rows are images."""
        return self._images

    def _text(self, column: str, place: int) -> str:
        return cell_words(self.pool.X[column][place])[0]

    def _explained(
        self, found: Explanation, at: int, place: int, p_value: float, deviations: NDArray[np.float64]
    ) -> Card:
        row = found.rows[at]
        raising = np.maximum(found.values[at], 0)
        longest = max((abs(reason.contribution) for reason in row.reasons), default=1.0)
        return self._of_table(
            place,
            p_value,
            deviations,
            score=row.score,
            why=row_facts(row, longest, bars=BARS),
            weights=1 / len(raising) + raising / max(float(raising.sum()), 1e-12),
        )

    def _of_table(
        self,
        place: int,
        p_value: float,
        deviations: NDArray[np.float64],
        *,
        score: float,
        why: dict[str, Any],
        weights: NDArray[np.float64],
    ) -> Card:
        return Card(
            place=place,
            key=self.pool.keys[place],
            number=int(self.pool.numbers[place]),
            score=score,
            p_value=p_value,
            values=self._values(place, deviations),
            why=why,
            alike=self._alike_rows(place),
            weights=weights,
        )

    def _values(self, place: int, deviations: NDArray[np.float64]) -> tuple[Value, ...]:
        far = dict(zip(self._names, deviations, strict=True))
        parts = np.split(self._encoded[place], self._starts[1:])
        shares = {
            name: words.share(part) for name, words, part in zip(self._names, self._words, parts, strict=True)
        }
        values = []
        for name in sorted(self._columns, key=lambda name: -far.get(name, -1.0)):
            text, whole = cell_words(self.pool.X[name][place])
            unusual = rarity(shares[name]) if name in shares else "not used"
            values.append(Value(column=name, text=text, whole=whole, unusual=unusual))
        for name in self.pool.unread.column_names:
            text, whole = cell_words(self.pool.unread[name][place])
            values.append(Value(column=name, text=text, whole=whole, unusual="not used"))
        return tuple(values)

    def _of_image(self, found: Explanation, at: int, place: int, p_value: float) -> Card:
        row, image = found.rows[at], self._encoded[place]
        return Card(
            place=place,
            key=self.pool.keys[place],
            number=int(self.pool.numbers[place]),
            score=row.score,
            p_value=p_value,
            values=(),
            why={**row_facts(row, 1.0), "reasons": []},
            alike=np.setdiff1d(
                np.flatnonzero(self._pixels_apart(place, slice(None)) <= ALIKE_PIXELS), [place]
            ),
            weights=np.ones(1),
            image=plots.inline_image(image, largest=LARGEST_IMAGE),
            heat=plots.inline_image(tinted(image, found.values[at]), largest=LARGEST_IMAGE),
        )

    def _alike_rows(self, place: int) -> Index:
        """The places of other rows that differ from a row by less than `UNLIKE` in every column."""
        mine = self._ranks[place]
        left: Index = np.arange(len(self._ranks))
        for start, stop in zip(self._starts, [*self._starts[1:], self._ranks.shape[1]], strict=True):
            apart = sum(np.abs(self._ranks[left, part] - mine[part]) for part in range(int(start), int(stop)))
            left = left[apart < UNLIKE]
            if len(left) == 1:
                break
        return np.asarray(left[left != place])

    def _pixels_apart(self, place: int, others: Any) -> NDArray[np.float64]:
        """The mean difference of pixels between one image and others."""
        return np.asarray(np.abs(self._encoded[others] - self._encoded[place]).mean(axis=(1, 2, 3)))
