"""Other ways to say which columns scores come from, as contributions (N, C), for `benchmarks.explanations`."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alarmnet._shared.evenly import evenly
from alarmnet.detectors import BaseDetector
from alarmnet.explain.model import references
from alarmnet.explain.neighbours import Likeness
from alarmnet.explain.tables import TableExplainer

Floats = NDArray[np.float64]
Encoded = NDArray[np.float32]
BACKGROUND, SAMPLES, STEPS = 50, 1024, 50
"""Normal rows and samples of KernelSHAP, and steps of integrated gradients."""
QUIETEST = 0.5
"""The share of normal rows, those that score lowest, among which similar ones are found."""


METHODS = (
    "alarmnet",
    "z-scores",
    "random",
    "integrated gradients",
    "KernelSHAP",
    "KernelSHAP, our references",
)
SLOW = METHODS[-2:]
NEEDED = {"integrated gradients": "captum", "KernelSHAP": "shap", "KernelSHAP, our references": "shap"}
"""The packages of methods that need one."""
Method = Callable[[Any, Encoded], Floats]


def absent(methods: Sequence[str]) -> Iterator[str]:
    """Say which of these methods are not measured, because their package is not installed."""
    for method in methods:
        if method in NEEDED and not find_spec(NEEDED[method]):
            yield (
                f"{method} is left out of every part: {NEEDED[method]} is not installed; "
                "pip install 'alarmnet[explanations]'"
            )


class Peers:
    """Methods by name, of one fitted detector; each takes a table and its encoded rows."""

    def __init__(self, detector: BaseDetector, *, seed: int, background: int = BACKGROUND) -> None:
        self.detector, self.seed, self.background = detector, seed, background
        self.scored = detector.scored_encoded()
        self.explainer = TableExplainer(self.scored)
        self.places, self.names = self.explainer.places, self.explainer.names
        self._usual, _ = references(self.scored, self.scored.normal, share=QUIETEST)
        self.likeness = Likeness(self.scored.normal, self.places)

    def methods(self) -> dict[str, Method]:
        """Those that are installed; the slow ones last."""
        found: dict[str, Method] = {
            "alarmnet": lambda table, encoded: self.explainer.values(encoded)[0],
            "z-scores": lambda table, encoded: self.detector.column_deviations(table),
            "random": self._random,
            "integrated gradients": self._gradients,
            "KernelSHAP": self._kernel,
            "KernelSHAP, our references": self._kernel_by_our_references,
        }
        return {name: found[name] for name in found if name not in NEEDED or find_spec(NEEDED[name])}

    def similar(self, encoded: Encoded, count: int) -> Encoded:
        """Normal calibration rows most like each row, (N, count, F)."""
        ranks = self.likeness.ranks
        return self._usual[self.likeness.nearest(ranks(encoded), ranks(self._usual), count)]

    def _random(self, table: Any, encoded: Encoded) -> Floats:
        return np.random.default_rng(self.seed).random((len(encoded), len(self.names)))

    def _gradients(self, table: Any, encoded: Encoded) -> Floats:
        from captum.attr import IntegratedGradients

        integrated = IntegratedGradients(self.detector._scorer)
        found = [
            integrated.attribute(torch.from_numpy(row[None]), torch.from_numpy(usual), n_steps=STEPS)
            for row, usual in zip(encoded, self.similar(encoded, 1), strict=True)
        ]
        parts = torch.cat(found).detach().numpy()
        return np.stack([np.bincount(self.places, row, len(self.names)) for row in parts])

    def _kernel(self, table: Any, encoded: Encoded) -> Floats:
        background = self.scored.normal[evenly(len(self.scored.normal), self.background)]
        return np.stack([self._kernel_values(row, background) for row in encoded])

    def _kernel_by_our_references(self, table: Any, encoded: Encoded) -> Floats:
        pairs = zip(encoded, self.explainer.references(encoded), strict=True)
        return np.stack([self._kernel_values(row, usual) for row, usual in pairs])

    def _kernel_values(self, row: Encoded, background: Encoded) -> Floats:
        import shap
        from shap.utils._legacy import DenseData

        groups = [np.flatnonzero(self.places == number).tolist() for number in range(len(self.names))]
        data = DenseData(background.astype(np.float64), list(self.names), groups)

        def score(rows: NDArray[Any]) -> Floats:
            return self.scored.score(np.asarray(rows, dtype=np.float32))

        np.random.seed(self.seed)  # noqa: NPY002 - KernelExplainer draws from the global state
        explainer = shap.KernelExplainer(score, data)
        found: Floats = explainer.shap_values(row.astype(np.float64), nsamples=SAMPLES, l1_reg=0, silent=True)
        return found
