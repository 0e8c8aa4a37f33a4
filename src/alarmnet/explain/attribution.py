"""Divides a logit among the input columns: one column after the other gets a normal value."""

from dataclasses import dataclass

import numpy as np

from alarmnet.explain.mixtures import (
    Bools,
    Floats,
    Index,
    Matrix,
    Mix,
    Score,
    ScoreMixtures,
    differing,
    mixed_by,
    once,
)

CANDIDATES = 3
"""Columns that are combined in every way, to find groups and what stops an alarm."""
CLOSE = 2
"""The first references of each row: columns are combined only in comparison with these."""
AT_ONCE = 2**24
"""Numbers in the rows that are made at once, which bounds the memory."""


@dataclass(frozen=True)
class Game:
    """What every combination of a row's leading columns scores, compared with one reference row for each row.

    Shapes
    ------
    `candidates` (P, m) are numbers of columns, most important first; `scores` (P, 2, 2**m) are logits: without, and
    with, all other columns of the row; bit i of the last index says whether candidate i is the row's.
    """

    candidates: Index
    scores: Floats

    def with_candidates_set(self) -> Floats:
        """Logits (P, 2**m) of the reference with candidates at the row's values: bit i says that i is set."""
        return self.scores[:, 0]

    def with_candidates_reset(self) -> Floats:
        """Logits (P, 2**m) of the row with candidates at the reference's values: bit i says that i is reset."""
        return self.scores[:, 1, ::-1]


@dataclass(frozen=True)
class Attribution:
    """What N rows' logits come from.

    `values` (N, C) add up to `logits` less `base`, each (N,); `game` is of each row and its close references.
    """

    values: Floats
    base: Floats
    logits: Floats
    game: Game


def attribute(
    score: Score,
    rows: Matrix,
    references: Matrix,
    base: Floats,
    places: Index,
    *,
    most: int = CANDIDATES,
    close: int = CLOSE,
    mix: Mix | None = None,
) -> Attribution:
    """Take logits apart by column.

    A column's share is the mean, over references, of what resetting it alone takes from the row or what setting it
    alone adds to the reference: of one reference the one, of the next the other, which makes many references
    affordable. Shares are then scaled to add up.

    Parameters
    ----------
    score
        Logits of encoded rows.
    rows, references
        Encoded, (N, F), and the references of each row, (N, R, F).
    base
        The references' logits (N, R).
    places
        The column of each encoded number, (F,), from 0 to C - 1.
    most
        Columns that are combined in every way.
    close
        References, the first of each row, that are close.
    mix
        Scores mixtures of a row and its reference as `score` does, but faster; None: by `score`.
    """
    mix = mix or mixed_by(score)
    mixtures = references.shape[1] * (int(places.max()) + 1) + close * 2 ** (most + 1)  # of a row
    step = max(1, AT_ONCE // (rows.shape[1] * mixtures))
    spans = [slice(start, start + step) for start in range(0, len(rows), step)]
    parts = [
        _attribute(score, mix, rows[span], references[span], base[span], places, most, close)
        for span in spans
    ]
    return Attribution(
        values=np.concatenate([part.values for part in parts]),
        base=np.concatenate([part.base for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
        game=Game(
            np.concatenate([part.game.candidates for part in parts]),
            np.concatenate([part.game.scores for part in parts]),
        ),
    )


def _attribute(
    score: Score,
    mix: Mix,
    rows: Matrix,
    references: Matrix,
    base: Floats,
    places: Index,
    most: int,
    close: int,
) -> Attribution:
    n_rows, n_references, width = references.shape
    pairs, usual = np.repeat(rows, n_references, axis=0), references.reshape(-1, width)
    differs = differing(pairs, usual, places)  # (P, C)
    logits = once(score, rows)
    ends = np.stack([base.ravel(), np.repeat(logits, n_references)])  # (2, P)
    mixed = mix(pairs, usual, places)
    turn = np.tile(np.arange(n_references), n_rows)
    near = turn < close
    single = _single_changes(mixed, differs, ends, np.stack([turn % 2 == 1, turn % 2 == 0]))
    effects = np.nanmean([single[0] - ends[0][:, None], ends[1][:, None] - single[1]], axis=0)
    by_row = (n_rows, n_references, -1)
    alone, ever = effects.reshape(by_row).mean(axis=1), differs.reshape(by_row).mean(axis=1)  # (N, C)
    candidates = np.argsort(-np.abs(alone), axis=1, kind="stable")[:, :most]
    played = np.repeat(candidates, near.sum() // n_rows, axis=0)
    game = _play(mixed, np.flatnonzero(near), played, differs[near], ends[:, near], single[:, near])
    mean_base = base.mean(axis=1)
    return Attribution(_scaled_to(alone, logits - mean_base, ever), mean_base, logits, Game(played, game))


def _single_changes(mixed: ScoreMixtures, differs: Bools, ends: Floats, asked: Bools) -> Floats:
    """Logits with each column set alone in the reference, and reset alone in the row (2, P, C); NaN: not asked."""
    n_columns = differs.shape[1]
    found = np.repeat(np.where(asked, ends, np.nan)[:, :, None], n_columns, axis=2)
    numbers, way, columns = np.nonzero(asked.T[:, :, None] & differs[:, None])
    masks = (np.arange(n_columns) == columns[:, None]) ^ (way == 1)[:, None]
    if len(numbers):
        found[way, numbers, columns] = mixed(numbers, masks)
    return found


def _play(
    mixed: ScoreMixtures, pairs: Index, candidates: Index, differs: Bools, ends: Floats, single: Floats
) -> Floats:
    """Logits of every combination (G, 2, 2**m); known or equal combinations are not scored again."""
    n_games, size = candidates.shape
    games = np.arange(n_games)
    chosen = np.zeros_like(differs)
    np.put_along_axis(chosen, candidates, True, axis=1)
    bits: Bools = ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(bool)  # (2**m, m)
    matter = np.take_along_axis(differs, candidates, axis=1)  # (G, m)
    others = np.asarray((differs & ~chosen).any(axis=1))
    # a combination stands for those that differ from it only in columns that are equal anyway
    code = (bits[None] & matter[:, None]) @ (1 << np.arange(size))  # (G, 2**m)
    code = np.stack([code, code + others[:, None] * 2**size], axis=1)  # (G, 2, 2**m)
    known = np.full((n_games, 2 ** (size + 1)), np.nan)
    known[games, 0], known[games, code[:, 1, -1]] = ends
    for place in range(size):
        bit = matter[:, place] << place
        known[games, bit] = single[0, games, candidates[:, place]]
        known[games, code[:, 1, -1] - bit] = single[1, games, candidates[:, place]]
    wanted = np.zeros(known.shape, dtype=bool)
    np.put_along_axis(wanted, code.reshape(n_games, -1), True, axis=1)
    number, combination = np.nonzero(wanted & np.isnan(known))
    if len(number):
        masks = np.zeros((len(number), differs.shape[1]), dtype=bool)
        masks[combination >= 2**size] = True
        np.put_along_axis(masks, candidates[number], bits[combination % 2**size], axis=1)
        known[number, combination] = mixed(pairs[number], masks)
    return np.take_along_axis(known, code.reshape(n_games, -1), axis=1).reshape(code.shape)


def _scaled_to(changes: Floats, totals: Floats, differs: Floats) -> Floats:
    """Changes (N, C), moved in proportion to their size so that they add up to totals (N,).

    If all changes are 0, all columns that differ take an equal part.
    """
    sizes = np.abs(changes)
    sizes = np.where(sizes.any(axis=1, keepdims=True), sizes, differs)
    sums = sizes.sum(axis=1, keepdims=True)
    missing = totals[:, None] - changes.sum(axis=1, keepdims=True)
    return np.asarray(changes + missing * np.divide(sizes, sums, out=np.zeros_like(sizes), where=sums > 0))
