"""Views of rows: how unusual each row is, and how similar two rows are."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

Matrix = NDArray[np.float32]

TREES = 200
NEIGHBOURS = (5, 50)
MOST_STORED = 2_000
"""The most rows to which distances are computed."""

NEAR = 0.25
"""The squared distance at which rows are still similar, as a share of the median between two rows."""


def normal_scores(values: NDArray[np.floating]) -> Matrix:
    """Map values (N,) to quantiles of a normal distribution: only their order counts."""
    places = norm.ppf((rankdata(values) - 0.5) / len(values))
    return np.asarray(places / max(places.std(), 1e-9), dtype=np.float32)


def standardised(rows: Matrix, *, images: bool) -> Matrix:
    """Centre columns and divide them by their standard deviation, but for those of two values (N, F).

    Cells of images share one standard deviation: those at the edge hardly ever vary, and mean little.
    """
    if images:
        return np.asarray((rows - rows.mean(axis=0)) / max(float(rows.std(axis=0).mean()), 1e-6))
    two_values = ((rows == rows.min(axis=0)) | (rows == rows.max(axis=0))).all(axis=0)
    spread = rows.std(axis=0)
    return np.asarray((rows - rows.mean(axis=0)) / np.where(two_values | (spread < 1e-6), 1, spread))


class Views:
    """Four views of rows, each with a similarity of two rows: the same in a view is 1, or a row's own variance.

    1. `unusual`: how unusual each row is by an isolation forest, the detector, and the distances to its 5th and its
       50th nearest row. A product, so that the whole pool learns whether unusual rows are anomalies here.
    2. The leaves of the isolation forest that two rows share, as a share of its trees.
    3. The cosine of two rows' directions from the mean.
    4. The nearness of two rows.

    Parameters
    ----------
    rows
        Encoded rows (N, F).
    detected
        The detector's scores (N,); higher is more anomalous.
    seed
        Of the forest and of the sample by which distances are judged.
    images
        Whether the rows are what is read of images (`oriented_gradients`).
    """

    count = 4

    def __init__(
        self, rows: Matrix, detected: NDArray[np.floating], seed: int, *, images: bool = False
    ) -> None:
        self.images = images
        forest = IsolationForest(n_estimators=TREES, random_state=seed).fit(rows)
        self._leaves = np.stack([tree.apply(rows) for tree in forest.estimators_], axis=1).astype(np.int16)
        self._rows = standardised(rows, images=images)
        self._squares = np.einsum("ij,ij->i", self._rows, self._rows)
        self._directions = self._rows / np.sqrt(self._squares + 1e-9)[:, None]
        stored = self._rows[:: -(-len(rows) // MOST_STORED)]
        most = min(NEIGHBOURS[-1], len(stored))
        distances, _ = NearestNeighbors(n_neighbors=most).fit(stored).kneighbors(self._rows)
        near = [distances[:, min(place, most) - 1] for place in NEIGHBOURS]
        isolated = -forest.score_samples(rows)
        self.unusual = np.stack([normal_scores(values) for values in (isolated, detected, *near)], axis=1)
        drawn = np.random.default_rng(seed).integers(len(rows), size=(2, 2_000))
        self._scale = max(NEAR * float(np.median(self._apart(*drawn))), 1e-9)
        # on tables, the distances made the first ranking worse on the development halves; on images, better
        self.prior = normal_scores((self.unusual if images else self.unusual[:, :2]).sum(axis=1))
        self.variances = np.ones((self.count, len(rows)), dtype=np.float32)
        self.variances[0] = (self.unusual**2).mean(axis=1)

    def alike(self, places: NDArray[np.intp]) -> Matrix:
        """How alike all rows are to those at `places` in each view (4, N, P)."""
        shared = np.stack([(self._leaves == self._leaves[place]).mean(axis=1) for place in places], axis=1)
        products = self._rows @ self._rows[places].T
        apart = self._squares[:, None] + self._squares[places] - 2 * products
        views = (
            self.unusual @ self.unusual[places].T / self.unusual.shape[1],
            shared,
            self._directions @ self._directions[places].T,
            np.exp(-apart.clip(min=0) / self._scale),
        )
        return np.stack(views).astype(np.float32)

    def _apart(self, some: NDArray[np.intp], others: NDArray[np.intp]) -> Matrix:
        """Squared distances of pairs of rows."""
        return np.asarray(((self._rows[some] - self._rows[others]) ** 2).sum(axis=1))
