"""What the default scores for tables have in common, as explanations of mixtures need it."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.detectors.scorer import Scorer
from alarmnet.networks.nearness import StoredRows
from alarmnet.networks.tails import Tails
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.trees import Trees


class TableScorer(Scorer):
    """A target, stored normal rows and their tails, forests on a row's numbers, and alarms on the target's inputs.

    The score is the sum of some odds. They come from the distances to stored rows, from the forests' votes, and
    from `read`: what needs the whole row.
    """

    target: PiecewiseTarget
    nearness: StoredRows
    alarms: nn.ModuleList
    tails: Tails | None
    """None in model files before format 8."""

    @property
    @abstractmethod
    def forests(self) -> list[Trees]:
        """The forests whose log odds are averaged."""

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The names of the odds, in order."""

    @abstractmethod
    def said_by_target(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """What the score takes from the target (B, n); `first` is its first layer's output, if that is known."""

    @abstractmethod
    def read_of(self, batch: Tensor, said: Tensor, logits: Sequence[Tensor]) -> Tensor:
        """As `read`, with what the target says (B, n), and logits (B,) of each alarm."""

    @abstractmethod
    def odds_of(self, distances: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The log odds (B, n) of distances to stored rows (B, n), forests' votes (B,), and `read` (B, n)."""

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take weights, and hand on the stored rows among them."""
        found = super().load_state_dict(state_dict, strict, assign)
        self.hand_on_stored()
        return found

    def hand_on_stored(self) -> None:
        """Give the stored rows to the parts that need them too, and that a model file holds without them."""
        if self.tails is not None:
            self.tails.order(self.nearness.stored, self.nearness.scale)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.odds(batch).logsumexp(1)

    def odds(self, batch: Tensor) -> Tensor:
        """The log odds (B, n) that `names` names; one high value is enough."""
        return self.odds_of(self.nearness.distances(batch), self.votes(batch), self.read(batch))

    def votes(self, batch: Tensor) -> Tensor:
        """The mean log odds of the forests, (B,)."""
        return torch.stack([forest(batch) for forest in self.forests]).mean(0)

    def read(self, batch: Tensor) -> Tensor:
        """What needs the whole row, (B, n)."""
        inputs = self.target.inputs(batch)
        return self.read_of(batch, self.said_by_target(inputs), [alarm(inputs) for alarm in self.alarms])


def stored_shape(weights: Mapping[str, NDArray[Any]], width: int) -> tuple[int, int]:
    """The shape of a model file's stored rows, which have `width` numbers."""
    rows = weights["nearness.stored"]
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise ValueError("the stored rows have other columns")
    return len(rows), width
