"""Heat maps: which pixels an image's score comes from."""

from typing import Any

from alarmnet.explain.explanation import Explanation
from alarmnet.explain.model import Index, Scored


class ImageExplainer:
    """Explains images by one detector."""

    def __init__(self, scored: Scored) -> None:
        self.scored = scored

    def explain(self, X: Any, numbers: Index, columns: int) -> Explanation:
        """Explain images, whose numbers are told."""
        raise NotImplementedError
