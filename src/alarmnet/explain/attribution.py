"""Which input columns a logit comes from: normal values in their place, and Shapley's shares of the change."""

import functools
import math
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

CANDIDATES = 4
"""Columns that are combined in every way; the others act as one."""
AT_ONCE = 2**24
"""Numbers in the rows that are made at once, which bounds the memory."""


@dataclass(frozen=True)
class Game:
    """What every combination of a row's leading columns scores, beside one reference row a row.

    Shapes
    ------
    `candidates` (P, m) are numbers of columns, most important first; `scores` (P, 2, 2**m) are logits: without, and
    with, all other columns of the row; bit i of the last index says whether candidate i is the row's.
    """

    candidates: Index
    scores: Floats

    def with_candidates_reset(self) -> Floats:
        """Logits (P, 2**m) of the row with candidates at the reference's values: bit i says that i is reset."""
        return self.scores[:, 1, ::-1]


@dataclass(frozen=True)
class Attribution:
    """Shares of P rows' logits: `values` (P, C) add up to `logits` less `base`, each (P,)."""

    values: Floats
    base: Floats
    logits: Floats
    game: Game


def attribute(
    score: Score,
    rows: Matrix,
    references: Matrix,
    places: Index,
    *,
    most: int = CANDIDATES,
    mix: Mix | None = None,
) -> Attribution:
    """Take logits apart by column.

    Each column is reset alone, and set alone in the reference. The `most` columns that change most then form a game
    with all others as one more player, which is played in every combination: Shapley's shares of it add up. Within
    the others, shares are the mean of the two single changes, scaled to add up as well.

    Parameters
    ----------
    score
        Logits of encoded rows.
    rows, references
        Encoded, (P, F); row by row.
    places
        The column of each encoded number, (F,), from 0 to C - 1.
    most
        Columns that are combined in every way.
    mix
        Scores mixtures of a row and its reference as `score` does, but faster; None: by `score`.
    """
    mix = mix or mixed_by(score)
    n_columns = int(places.max()) + 1
    step = max(1, AT_ONCE // (rows.shape[1] * (2 * n_columns + 2 ** (most + 1))))
    parts = [
        _attribute(score, mix, rows[start : start + step], references[start : start + step], places, most)
        for start in range(0, len(rows), step)
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
    score: Score, mix: Mix, rows: Matrix, references: Matrix, places: Index, most: int
) -> Attribution:
    differs = differing(rows, references, places)
    n_rows, n_columns = differs.shape
    ends = once(score, np.concatenate([references, rows])).reshape(2, n_rows)
    base, logits = ends
    mixed = mix(rows, references, places)
    single = _single_changes(mixed, differs, ends)
    # what each column does alone: the mean of what setting it adds and what resetting it takes
    alone = (single[0] - base[:, None] + logits[:, None] - single[1]) / 2
    size = min(most, n_columns)
    candidates = np.argsort(-np.abs(alone), axis=1, kind="stable")[:, :size]
    chosen = np.zeros_like(differs)
    np.put_along_axis(chosen, candidates, True, axis=1)
    game = Game(candidates, _play(mixed, candidates, chosen, differs, ends, single))
    shares = _shapley(game.scores.reshape(n_rows, -1))  # (P, m + 1), the last of all others
    others = np.where(chosen, 0.0, alone)
    values = _scaled_to(others, shares[:, -1])
    np.put_along_axis(values, candidates, shares[:, :-1], axis=1)
    return Attribution(np.where(differs, values, 0.0), base, logits, game)


def _single_changes(mixed: ScoreMixtures, differs: Bools, ends: Floats) -> Floats:
    """Logits with each column set alone in the reference, and reset alone in the row (2, P, C)."""
    numbers, columns = np.repeat(np.argwhere(differs), 2, axis=0).T
    masks = np.zeros((len(numbers), differs.shape[1]), dtype=bool)
    masks[np.arange(len(numbers)), columns] = True
    masks[1::2] ^= True
    found = np.repeat(ends[:, :, None], differs.shape[1], axis=2)
    if len(numbers):
        logits = mixed(numbers, masks)
        found[0, numbers[::2], columns[::2]] = logits[::2]
        found[1, numbers[::2], columns[::2]] = logits[1::2]
    return found


def _play(
    mixed: ScoreMixtures, candidates: Index, chosen: Bools, differs: Bools, ends: Floats, single: Floats
) -> Floats:
    """Logits of every combination (P, 2, 2**m); those that are known or differ in nothing are not scored again."""
    n_rows, size = candidates.shape
    players = np.arange(n_rows)
    bits: Bools = ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(bool)  # (2**m, m)
    matter = np.take_along_axis(differs, candidates, axis=1)  # (P, m)
    others = np.asarray((differs & ~chosen).any(axis=1))
    # a combination stands for those that differ from it only in columns that are equal anyway
    code = (bits[None] & matter[:, None]) @ (1 << np.arange(size))  # (P, 2**m)
    code = np.stack([code, code + others[:, None] * 2**size], axis=1)  # (P, 2, 2**m)
    known = np.full((n_rows, 2 ** (size + 1)), np.nan)
    known[players, 0], known[players, code[:, 1, -1]] = ends
    for place in range(size):
        bit = matter[:, place] << place
        known[players, bit] = single[0, players, candidates[:, place]]
        known[players, code[:, 1, -1] - bit] = single[1, players, candidates[:, place]]
    wanted = np.zeros(known.shape, dtype=bool)
    np.put_along_axis(wanted, code.reshape(n_rows, -1), True, axis=1)
    number, combination = np.nonzero(wanted & np.isnan(known))
    if len(number):
        masks = np.zeros((len(number), differs.shape[1]), dtype=bool)
        masks[combination >= 2**size] = True
        np.put_along_axis(masks, candidates[number], bits[combination % 2**size], axis=1)
        known[number, combination] = mixed(number, masks)
    return np.take_along_axis(known, code.reshape(n_rows, -1), axis=1).reshape(code.shape)


def _scaled_to(changes: Floats, totals: Floats) -> Floats:
    """Changes (P, C), moved in proportion to their size so that they add up to totals (P,)."""
    sizes = np.abs(changes)
    sums = sizes.sum(axis=1, keepdims=True)
    missing = totals[:, None] - changes.sum(axis=1, keepdims=True)
    return np.asarray(changes + missing * np.divide(sizes, sums, out=np.zeros_like(sizes), where=sums > 0))


def _shapley(scores: Floats) -> Floats:
    """Shapley's shares (P, players) of games (P, 2**players).

    They are taken of differences, so that a player that does nothing gets 0 and not a rounding error.
    """
    players = scores.shape[1].bit_length() - 1
    coalitions = np.arange(2**players)
    shares = np.empty((len(scores), players))
    for player in range(players):
        without = coalitions[coalitions >> player & 1 == 0]
        added = scores[:, without | 1 << player] - scores[:, without]
        # no matrix product, whose rounding depends on how many rows there are
        shares[:, player] = (added * _orders(players)[without]).sum(axis=1)
    return shares


@functools.cache
def _orders(players: int) -> Floats:
    """The share of all orders of players in which a coalition is all that comes before one player (2**players,)."""
    counts = [coalition.bit_count() for coalition in range(2**players)]
    whole = math.factorial(players)
    return np.array([math.factorial(n) * math.factorial(max(players - n - 1, 0)) / whole for n in counts])
