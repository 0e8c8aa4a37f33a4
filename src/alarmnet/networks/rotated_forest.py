"""Trees on the principal directions of normal rows, of model files before format 7."""

from torch import Tensor, nn

from alarmnet.networks.forests import Forest
from alarmnet.networks.spread import Whitening


class RotatedForest(nn.Module):
    """A forest that asks for numbers along the principal directions of normal rows, instead of for columns.

    A tree that cuts columns needs many cuts to follow a relation between columns. Source: Rodriguez, Kuncheva,
    Alonso, "Rotation Forest: A New Classifier Ensemble Method" (2006), with one rotation for all trees.

    Parameters
    ----------
    whitening
        The directions.
    forest
        Grown on rows that `whitening` turned.

    Shapes
    ------
    Input: (B, F), scaled as `StoredRows.scaled` does. Output: (B,), log odds: higher is more anomalous.
    """

    def __init__(self, whitening: Whitening, forest: Forest) -> None:
        super().__init__()
        self.whitening, self.forest = whitening, forest

    def forward(self, rows: Tensor) -> Tensor:
        """Score rows."""
        found: Tensor = self.forest(self.whitening.white(rows))
        return found
