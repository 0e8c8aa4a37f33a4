"""Heat maps: the contribution of each pixel to an image's score."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.evenly import evenly
from alarmnet.explain.explanation import Explanation, Reason, RowExplanation, Similar
from alarmnet.explain.mixtures import Floats, Index, Matrix
from alarmnet.explain.model import Scored, loudest, references
from alarmnet.explain.sentences import points

REFERENCES = 3
"""Normal images that an image is compared with."""
NORMAL_IMAGES = 500
"""The most held-out normal images that are searched for similar images."""
QUIETEST = 0.5
"""The share of normal images, those with the lowest scores, that an image is compared with."""
FINEST = 32
"""The largest size, in pixels a side, at which each pixel has its own heat."""
CELLS = 16
"""Cells a side of larger images."""
WINDOW, LARGE_WINDOW = 6, 3
"""Cells a side of the windows that are reset: for images up to the finest size, and for larger images."""
SHARPNESS = 8
"""The power of a window's effect that is added to the heat of its cells, so that strong windows dominate."""
HOTTEST = 0.05
"""The share of pixels that a sentence calls the hottest."""


@dataclass(frozen=True)
class Grid:
    """Windows over the cells of an image, and the heat of cells from the windows' effects.

    `corners` (W, 2) are windows' first cells, `side` is theirs in cells, `cell` is a cell's in pixels, `members`
    (W, cells) has 1 for the cells of each window.
    """

    height: int
    width: int
    cell: int
    side: int
    corners: Index
    members: Floats

    def masks(self) -> NDArray[np.bool_]:
        """The pixels of each window (W, height, width)."""
        rows, columns = np.arange(self.height) // self.cell, np.arange(self.width) // self.cell
        first = self.corners[:, :, None]
        down = (rows >= first[:, 0]) & (rows < first[:, 0] + self.side)
        across = (columns >= first[:, 1]) & (columns < first[:, 1] + self.side)
        return down[:, :, None] & across[:, None, :]

    def heat(self, changes: Floats) -> Floats:
        """The windows' effects (W,) as a heat map (height, width), whose strongest window adds up to its effect."""
        most = int(np.abs(changes).argmax())
        shares = changes / (abs(changes[most]) or 1.0)
        cells = (np.sign(shares) * np.abs(shares) ** SHARPNESS) @ self.members
        rows, columns = -(-self.height // self.cell), -(-self.width // self.cell)
        full = cells.reshape(rows, columns).repeat(self.cell, axis=0).repeat(self.cell, axis=1)
        heat: Floats = full[: self.height, : self.width]
        inside = float(np.abs(heat[self.masks()[most]]).sum())
        return heat * (abs(changes[most]) / inside if inside else 0.0)

    def outside(self, apart: Floats) -> Floats:
        """The sums (N, W) of numbers of pixels (N, height, width) outside each window."""
        summed = np.pad(apart, [(0, 0), (1, 0), (1, 0)]).cumsum(axis=1).cumsum(axis=2)
        low = self.corners * self.cell
        high = np.minimum(low + self.side * self.cell, [self.height, self.width])
        (top, left), (bottom, right) = low.T, high.T
        inside = (
            summed[:, bottom, right] - summed[:, top, right] - summed[:, bottom, left] + summed[:, top, left]
        )
        return np.asarray(summed[:, -1:, -1] - inside)


@functools.lru_cache(maxsize=4)
def grid_of(height: int, width: int) -> Grid:
    """Windows one cell apart; large images have fewer cells."""
    longest = max(height, width)
    cell, side = (1, WINDOW) if longest <= FINEST else (-(-longest // CELLS), LARGE_WINDOW)
    rows, columns = -(-height // cell), -(-width // cell)
    side = min(side, rows, columns)
    corners = np.array(
        [(r, c) for r in range(rows - side + 1) for c in range(columns - side + 1)], dtype=np.intp
    )
    membership = np.zeros((len(corners), rows, columns))
    for window, (r, c) in enumerate(corners):
        membership[window, r : r + side, c : c + side] = 1
    return Grid(height, width, cell, side, corners, membership.reshape(len(corners), -1))


class ImageExplainer:
    """Explains images by one detector.

    Windows of an image get the pixels of normal images that are similar outside the window, one window after the
    other. Pixels are hot where windows do most; an even shift makes all of them add up to the difference in logits.
    """

    def __init__(self, scored: Scored) -> None:
        self.scored = scored
        self._usual, _ = references(
            scored, scored.normal[evenly(len(scored.normal), NORMAL_IMAGES)], share=QUIETEST
        )

    def explain(self, X: Any, numbers: Index, columns: int) -> Explanation:
        """Explain images, whose numbers are told; in place of columns there is the hottest region."""
        encoded = self.scored.encoder.transform(X)
        logits = self.scored.score(encoded)
        heat, base = np.empty((len(encoded), *encoded.shape[2:])), np.empty(len(encoded))
        for place, image in enumerate(encoded):
            heat[place], base[place] = self._heat(image, float(logits[place]))
        spoke, known = loudest(self.scored, encoded), None if self.scored.known is None else ()
        told = tuple(
            _told(
                int(number),
                score=float(logits[place] - self.scored.threshold),
                reference=float(base[place] - self.scored.threshold),
                heat=heat[place],
                spoke=spoke[place],
                known=known,
            )
            for place, number in enumerate(numbers)
        )
        return Explanation(
            names=(),
            values=heat,
            base_value=base,
            logits=logits,
            threshold=self.scored.threshold,
            data=np.asarray(X),
            rows=told,
        )

    def _heat(self, image: Matrix, logit: float) -> tuple[Floats, float]:
        """The heat map (H, W) of one encoded image (C, H, W), and its references' mean logit."""
        apart = ((self._usual - image) ** 2).sum(axis=1, dtype=np.float64)  # (M, H, W)
        usual = np.argsort(apart.sum(axis=(1, 2)), kind="stable")[:REFERENCES]
        grid = grid_of(*image.shape[1:])
        masks = grid.masks()[:, None]
        nearest = np.argsort(grid.outside(apart), axis=0, kind="stable")[:REFERENCES]
        changes = [
            logit - self.scored.score(np.where(masks, self._usual[others], image)) for others in nearest
        ]
        base = float(self.scored.score(self._usual[usual]).mean())
        heat = grid.heat(np.mean(changes, axis=0))
        return heat + (logit - base - heat.sum()) / heat.size, base


def _span(what: str, first: int, last: int) -> str:
    """Some rows or columns of pixels in words.

    >>> _span("row", 2, 2), _span("column", 2, 4)
    ('row 2', 'columns 2 to 4')
    """
    return f"{what} {first}" if first == last else f"{what}s {first} to {last}"


def _told(
    number: int,
    *,
    score: float,
    reference: float,
    heat: Floats,
    spoke: str,
    known: tuple[Similar, ...] | None,
) -> RowExplanation:
    count = max(1, round(HOTTEST * heat.size))
    hottest = np.sort(np.argsort(-heat, axis=None, kind="stable")[:count])
    rows, columns = np.unravel_index(hottest, heat.shape)
    # the middle of the hottest pixels, so that a stray one does not widen the region
    top, bottom = np.quantile(rows, [0.1, 0.9], method="nearest")
    left, right = np.quantile(columns, [0.1, 0.9], method="nearest")
    where = f"{_span('row', top, bottom)}, {_span('column', left, right)}"
    inside = float(heat[top : bottom + 1, left : right + 1].sum())
    above = f"{points(abs(score))} {'above' if score > 0 else 'below'} the threshold"
    said = (
        f"{'Alarm' if score > 0 else 'No alarm'}, {above}. It scores {points(score - reference)} more than similar "
        f"normal images; the pixels that raise it most lie in {where}."
    )
    region = Reason(column="pixels", value=where, normal="similar normal images", contribution=inside)
    return RowExplanation(
        row=number,
        score=score,
        alarm=score > 0,
        spoke=spoke,
        reference=reference,
        reasons=(region,),
        groups=(),
        normal=None,
        known=known,
        counterfactual=None,
        sentence=said,
    )


def tinted(image: Matrix, heat: Floats, *, margin: float = 0.0) -> Matrix:
    """An image (C, H, W) in grey, (3, H, W), with what raises its score in red, paler below the threshold."""
    grey = 0.25 + 0.5 * np.clip(image.mean(axis=0), 0, 1)
    warm = np.clip(heat / max(float(heat.max()), 1e-12), 0, 1) * np.exp(min(margin, 0.0))
    red = np.array([0.92, 0.16, 0.05])[:, None, None]
    return np.asarray(grey * (1 - warm) + red * warm, dtype=np.float32)
