"""The rows of files that a queue takes: those with the highest scores, and some drawn at random."""

import math
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.containers import decoded
from alarmnet.detectors import BaseDetector
from alarmnet.errors import InputError, rows_counted_from
from alarmnet.loop.keys import digest_of, id_key, keys_from_ids, numbered, row_digests
from alarmnet.preprocessing import ImageScaler
from alarmnet.preprocessing.frames import read_frame
from alarmnet.preprocessing.rows import take
from alarmnet.sources import Rows
from alarmnet.sources.tables import usable_rows

HIGHEST = 20_000
"""The most rows with the highest scores that a pool has."""
DRAWN = 1_000
"""The most rows drawn from all others."""
FITTED = 20_000
"""The most rows that a first detector is fitted on."""
MOST_BYTES = 1 << 29
"""The most bytes of the rows with the highest scores: fewer rows are kept if rows are large."""

Index = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Rows to look at.

    Attributes
    ----------
    X
        An Arrow table, or images (N, C, H, W).
    keys
        What each row is called: its id, an image's path, or a digest of its cells.
    numbers
        Row numbers (N,), ascending, counted from 0 over all files.
    total
        Rows in the files.
    invalid
        Rows that cannot be scored, which are left out.
    drawn
        Rows that were drawn at random from those below the highest; 0 where every row is here.
    named
        Whether keys are names that people know: ids or paths.
    unread
        The cells of columns that no model reads, for people to see: an Arrow table of these rows.
    """

    X: Any
    keys: tuple[str, ...]
    numbers: NDArray[np.int64]
    total: int
    invalid: int
    drawn: int
    named: bool = False
    unread: pa.Table = field(default_factory=lambda: pa.table({}))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return "row" if isinstance(self.X, pa.Table) else "image"

    def name(self, place: int) -> str:
        """What people call a row: its id or path, or its number."""
        return self.keys[place] if self.named else f"{self.noun} {int(self.numbers[place]):,}"

    def described(self) -> str:
        """Say what the rows stand for."""
        rows = f"{self.noun}s"
        bad = f" {self.invalid:,} {rows} that cannot be scored are left out." if self.invalid else ""
        if not self.drawn:
            return f"All {len(self):,} {rows} are in the queue.{bad}"
        return (
            f"The queue has {len(self):,} of {self.total:,} {rows}: {len(self) - self.drawn:,} with the highest "
            f"scores of the first model, and {self.drawn:,} drawn at random from the others.{bad}"
        )


@dataclass(frozen=True, eq=False)
class _Kept:
    """Some rows with their scores, and a random number for each, by which rows are drawn."""

    X: Any
    names: pa.Array
    numbers: NDArray[np.int64]
    scores: NDArray[np.float64]
    lots: NDArray[np.float64]
    answered: NDArray[np.bool_]

    def take(self, rows: Index) -> "_Kept":
        return _Kept(
            take(self.X, rows),
            self.names.take(pa.array(rows)),
            self.numbers[rows],
            self.scores[rows],
            self.lots[rows],
            self.answered[rows],
        )

    def joined(self, other: "_Kept") -> "_Kept":
        tables = isinstance(self.X, pa.Table)
        return _Kept(
            pa.concat_tables([self.X, other.X]).combine_chunks()
            if tables
            else np.concatenate([self.X, other.X]),
            pa.concat_arrays([self.names, other.names]),
            np.concatenate([self.numbers, other.numbers]),
            np.concatenate([self.scores, other.scores]),
            np.concatenate([self.lots, other.lots]),
            np.concatenate([self.answered, other.answered]),
        )

    @property
    def row_bytes(self) -> int:
        return max(1, int(self.X.nbytes) // max(len(self.scores), 1))

    def best(self, width: int) -> tuple[Index, Index]:
        """The rows to keep for their scores (A,), including answered rows, and the rows to keep as drawn (B,)."""
        most = max(1, min(HIGHEST, MOST_BYTES // (self.row_bytes + width)))
        order = np.lexsort((self.numbers, -self.scores))
        high = np.zeros(len(order), dtype=bool)
        high[order[:most]] = True
        high |= self.answered
        others = np.flatnonzero(~high)
        drawn = others[np.argsort(self.lots[others], kind="stable")[:DRAWN]]
        return np.flatnonzero(high), drawn


def sampled(rows: Rows, *, most: int = FITTED, seed: int) -> Any:
    """Draw usable rows of opened files in one pass that holds no more than these and one part."""
    generator = np.random.default_rng(seed)
    kept: Any = None
    lots = np.empty(0)
    for part in rows.parts(flag=True):
        usable = np.flatnonzero(part.usable)
        fresh = generator.random(len(usable))
        X = take(part.X, usable)
        if isinstance(X, pa.Table):
            kept = X if kept is None else pa.concat_tables([kept, X])
        else:
            kept = X if kept is None else np.concatenate([kept, X])
        lots = np.concatenate([lots, fresh])
        if len(lots) > most:
            chosen = np.sort(np.argpartition(lots, most)[:most])
            kept, lots = take(kept, chosen), lots[chosen]
    if isinstance(kept, pa.Table) and len(kept):
        kept = take(kept, np.flatnonzero(usable_rows(read_frame(kept))))
    return kept


def keys_of(X: Any, ids: Any, *, named: bool) -> list[str]:
    """Give the keys of rows by their ids if they have names, else digests, the same for equal rows."""
    return [*map(id_key, decoded(ids).cast(pa.string()).to_pylist())] if named else row_digests(X)


def _parts(
    detector: BaseDetector, rows: Rows, wanted: Counter[str], seed: int
) -> Iterator[tuple[_Kept, int]]:
    """Each part's usable rows, scored, and how many rows the part had; `wanted` keys are marked as answered."""
    generator = np.random.default_rng(seed)
    for part in rows.parts(flag=True):
        usable = np.flatnonzero(part.usable)
        X = take(part.X, usable)
        names = decoded(part.ids).cast(pa.string()).take(pa.array(usable))
        scores = np.empty(0)
        if len(usable):
            with rows_counted_from(part.first_row):
                scores = detector.decision_function(X)
        answered = np.zeros(len(usable), dtype=bool)
        if wanted:
            for place, key in enumerate(keys_of(X, names, named=rows.has_ids)):
                if wanted[key] > 0:
                    wanted[key] -= 1
                    answered[place] = True
        lots = generator.random(len(usable))
        yield _Kept(X, names, part.first_row + usable, scores, lots, answered), len(part.usable)


def pool_from_files(
    detector: BaseDetector, rows: Rows, *, answered: Collection[str] = (), seed: int = 0
) -> Pool:
    """Score files part by part and keep the rows to look at; `answered` rows are kept whatever their score.

    Memory holds these rows and one part.

    Raises
    ------
    InputError
        No row can be scored, or an id occurs twice among the rows kept.
    """
    wanted = Counter(key if rows.has_ids else digest_of(key) for key in answered)
    total = scored = 0
    kept: _Kept | None = None
    drawn: Index = np.empty(0, dtype=np.intp)
    for part, count in _parts(detector, rows, wanted, seed):
        total, scored = total + count, scored + len(part.scores)
        kept = part if kept is None else kept.joined(part)
        high, drawn = kept.best(_encoded_bytes(detector))
        kept = kept.take(np.concatenate([high, drawn]))
        drawn = np.arange(len(high), len(high) + len(drawn))
    if kept is None or not scored:
        raise InputError("no row can be scored; give data with rows", code="too_few_rows")
    order = np.argsort(kept.numbers, kind="stable")
    kept = kept.take(order)
    return Pool(
        X=kept.X,
        keys=tuple(keys_from_ids(kept.names.to_pylist()) if rows.has_ids else numbered(row_digests(kept.X))),
        numbers=kept.numbers,
        total=total,
        invalid=total - scored,
        drawn=len(drawn),
        named=rows.has_ids,
    )


def _encoded_bytes(detector: BaseDetector) -> int:
    """Bytes of an encoded row."""
    encoder = detector.encoder_
    return 4 * (
        math.prod(encoder.shape_) if isinstance(encoder, ImageScaler) else len(encoder.source_columns_)
    )
