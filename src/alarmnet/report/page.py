"""A report as HTML and as JSON."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alarmnet import plots
from alarmnet._shared.atomic import atomic_path
from alarmnet.errors import InputError
from alarmnet.explain.images import tinted
from alarmnet.preprocessing.cells import Float32s
from alarmnet.report.fitted_detector import Floats
from alarmnet.report.rendering import templates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPTIONS = {
    "scores": "Number of rows by margin",
    "scores_narrow": "Number of rows by margin",
    "roc": "ROC curve",
    "precision_recall": "Precision-recall curve",
    "looked": "Anomalies found by number of rows reviewed",
}
TRAINING_CAPTIONS = {
    "target": "Loss of the target network, which learns what is normal",
    "alarm": "Loss of the alarm network, which reads the target network's activations",
    "second alarm": "Loss of the alarm network that is linear and reads the encoded rows",
    "third alarm": "Loss of the alarm network that reads the encoded rows with a hidden layer",
    "alarm on peaks": "Loss of the alarm network that reads the largest activation of each channel",
    "joint": "Loss of the target and alarm networks, which are trained together",
}
"""By the name of a network; users' own alarms have names of their own."""


def check_ending(path: Path) -> None:
    """Refuse, before any work, a name that does not say whether to write a page or the facts."""
    if path.suffix not in (".html", ".json"):
        raise InputError(
            f"cannot save a report as {path.name!r}; end the name in .html or .json", code="unknown_format"
        )


@dataclass(frozen=True, eq=False)
class Report:
    """The result of `make_report`: `facts` for programs, `to_html` and `save` for people.

    Attributes
    ----------
    facts
        Everything that the page shows, ready for JSON. Missing values are None, never NaN.
    scores
        Margins, shape (N,): the output of `decision_function`; above 0 is an alarm.
    labels
        Shape (N,), 1 anomaly, 0 normal, NaN not looked at; None if no labels were given.
    images, reconstructions
        The highest-scored images and the target network's reconstructions, shape (top, C, H, W), in about [0, 1].
        Both are None for tables; reconstructions are None if the target is not an autoencoder.
    heat
        The contribution of each pixel of these images to the score, in logits, shape (top, H, W); None for tables.
    """

    facts: dict[str, Any]
    scores: Floats
    labels: Floats | None
    images: Float32s | None = None
    reconstructions: Float32s | None = None
    heat: Floats | None = None

    def to_html(self) -> str:
        """Make one self-contained page, for screens, phones and paper, which loads nothing and runs no script.

        Raises
        ------
        MissingExtraError
            If Jinja2 or Matplotlib is not installed.
        """
        environment = templates("alarmnet.report")
        page = environment.get_template("report.html.j2")
        made = {"pictures": self._pictures(), "gallery": self._gallery(), "captions": self._captions()}
        top = max(len(self.facts["highest"]), 1)
        return page.render(self.facts, top=top, **made) + "\n"

    def to_json(self) -> str:
        """Return the facts as JSON text."""
        return json.dumps(self.facts, indent=2, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the page (if the path ends in .html) or the facts (.json). A failed write leaves no partial file.

        Raises
        ------
        InputError
            For another ending, or a path that cannot be written.
        MissingExtraError
            For a page, if Jinja2 or Matplotlib is not installed.
        """
        path = Path(path)
        check_ending(path)
        text = self.to_html() if path.suffix == ".html" else self.to_json()
        content = text.encode("utf-8", errors="replace")
        with atomic_path(path) as draft:
            draft.write_bytes(content)

    def _gallery(self) -> list[dict[str, Any]]:
        """The highest-scored images, each as a data URI with its facts."""
        if self.images is None:
            return []
        none = [None] * len(self.images)
        made = none if self.reconstructions is None else self.reconstructions
        heat = none if self.heat is None else self.heat
        shown = zip(self.facts["highest"], self.images, made, heat, strict=True)
        return [
            {
                **fact,
                "image": plots.inline_image(image),
                "reconstruction": None if again is None else plots.inline_image(again),
                "heat": None
                if warm is None
                else plots.inline_image(tinted(image, warm, margin=fact["score"])),
            }
            for fact, image, again, warm in shown
        ]

    def _pictures(self) -> dict[str, str]:
        """SVG by name; pictures without content are left out."""
        wide, half = (10.0, 3.6), (4.6, 3.3)

        def scores(axes: "Axes") -> None:
            plots.plot_scores(axes, self.scores, self.labels)
            axes.set_xlabel("margin (above 0: alarm)")

        drawn = {"scores": (scores, wide), "scores_narrow": (scores, half)}
        if self.facts["evaluation"]:
            drawn["roc"] = (partial(plots.plot_roc, y=self.labels, scores=self.scores), half)
            drawn["precision_recall"] = (
                partial(plots.plot_precision_recall, y=self.labels, scores=self.scores),
                half,
            )
        if self.facts["looked"] and self.facts["looked"]["looks"]:
            drawn["looked"] = (partial(plots.plot_found, found=self.facts["looked"]["found"]), wide)
        for number, checks in enumerate(self.facts["training"].values(), start=1):
            if len(checks) > 1:
                drawn[f"training_{number}"] = (partial(plots.plot_training, checks=checks), half)
        captions = self._captions()
        return {
            name: plots.inline_svg(draw, name=name, label=captions[name], size=size)
            for name, (draw, size) in drawn.items()
        }

    def _captions(self) -> dict[str, str]:
        """The captions of pictures by name."""
        training = {
            f"training_{number}": TRAINING_CAPTIONS.get(network, f"Loss of the alarm network {network!r}")
            for number, network in enumerate(self.facts["training"], start=1)
        }
        return CAPTIONS | training
