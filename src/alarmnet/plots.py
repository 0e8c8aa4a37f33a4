"""Pictures of scores, curves and training, drawn on Matplotlib axes that you bring.

They need Matplotlib (``pip install 'alarmnet[report]'``) and leave pyplot's global state alone: make a
``matplotlib.figure.Figure``, call its ``subplots()``, pass the axes in.
"""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay

from alarmnet._shared.labels import read_labels
from alarmnet._shared.validation import check_real
from alarmnet.errors import InputError, InputTypeError, MissingExtraError
from alarmnet.metrics import as_scores, check_classes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NORMAL, ANOMALY, UNLABELLED, THRESHOLD = "#2f6fab", "#c2410c", "#7d8590", "#111827"
BINS = 60
LARGEST_SCORE = 1e300  # so that differences are finite
EMPTY_BIN = 0.6  # a logarithmic axis has no zero: where the axis of counts starts

LARGEST_IMAGE = 128
"""Pixels a side of images on a page, by default."""

INK = "#123456"
PAGE_COLORS = {NORMAL: "normal", ANOMALY: "anomaly", UNLABELLED: "unlabelled", THRESHOLD: "ink", INK: "ink"}
PAGE_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "alarmnet",
    "font.size": 9,
    "legend.fontsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
}


def require_extra(module: str) -> None:
    """Check that an optional dependency can be imported.

    Raises
    ------
    MissingExtraError
        Naming the extra that installs it.
    """
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"plots and reports need {module}, which is not installed; pip install 'alarmnet[report]'"
        ) from error


def _groups(scores: NDArray[np.float64], y: Any) -> dict[str, tuple[NDArray[np.float64], str]]:
    if y is None:
        return {"all rows": (scores, UNLABELLED)}
    labels = read_labels(y, rows=len(scores), to_learn=False).values
    return {
        "not labelled": (scores[np.isnan(labels)], UNLABELLED),
        "normal": (scores[labels == 0], NORMAL),
        "known anomaly": (scores[labels == 1], ANOMALY),
    }


def _edges(scores: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """The edges of about `BINS` bins, one of them at the threshold: a bin has no rows of both sides."""
    low, high = scores.min(initial=threshold), scores.max(initial=threshold)
    if max(abs(low), abs(high)) > LARGEST_SCORE:
        raise InputError(
            f"scores and threshold range from {low:g} to {high:g}; plot_scores draws them up to {LARGEST_SCORE:g}",
            code="invalid_parameter",
        )
    width = max((high - low) / BINS, 1e-9 * max(abs(low), abs(high), 1.0))
    below, above = np.ceil([(threshold - low) / width, (high - threshold) / width])
    edges: NDArray[np.float64] = threshold + width * np.arange(-max(below, 1), max(above, 1) + 1)
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)  # sums are rounded
    return edges


def plot_scores(axes: Axes, scores: ArrayLike, y: Any = None, *, threshold: float = 0.0) -> None:
    """Draw the scores of normal rows, known anomalies and unlabelled rows, with the threshold.

    Counts are on a logarithmic axis, so that a few anomalies show next to many normal rows.

    Parameters
    ----------
    scores
        Shape (N,), higher is more anomalous, on the scale of `decision_function`.
    y
        Labels, shape (N,): 1 anomaly, 0 normal, NaN or None unlabelled.
    threshold
        Scores above it are alarms; 0 for `decision_function`.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    InputError
        For scores, labels or a threshold that cannot be used.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plot_scores(axes, [-2.0, -1.5, 0.5], [0, None, 1])
    >>> axes.get_yscale()
    'log'
    """
    require_extra("matplotlib")
    values = as_scores(scores)
    threshold = check_real(plot_scores, "threshold", threshold, -math.inf)
    edges = _edges(values, threshold)
    for name, (group, color) in _groups(values, y).items():
        if group.size:
            counts = np.histogram(-group, -edges[::-1])[0][::-1].astype(np.float64)
            counts[counts == 0] = np.nan  # drawn as a gap
            axes.stairs(counts, edges, baseline=EMPTY_BIN, fill=True, color=color, alpha=0.25)
            axes.stairs(
                counts,
                edges,
                baseline=EMPTY_BIN,
                color=color,
                linewidth=1.4,
                label=f"{name} ({group.size:,})",
            )
    axes.axvline(threshold, color=THRESHOLD, linewidth=1.2, linestyle="--", label="threshold")
    axes.set(yscale="log", xlabel="score (right of the threshold: alarm)", ylabel="rows")
    axes.set_ylim(bottom=EMPTY_BIN)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter("")
    _legend_above(axes)


def plot_roc(axes: Axes, y: Any, scores: ArrayLike) -> None:
    """Draw the ROC curve: recall against the false-alarm rate, over all thresholds.

    Parameters
    ----------
    y
        Labels, shape (N,): 1 anomaly, 0 normal; rows without a label are left out.
    scores
        Shape (N,), higher is more anomalous.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plot_roc(axes, [0, 0, 1], [0.1, 0.4, 0.9])
    >>> axes.get_ylabel()
    'recall (anomalies found)'
    """
    require_extra("matplotlib")
    labels, values = _labelled(y, scores)
    axes.plot([0, 1], [0, 1], color=UNLABELLED, linewidth=1, linestyle=":", label="by chance")
    RocCurveDisplay.from_predictions(labels, values, ax=axes)
    _finish_curve(axes, xlabel="false-alarm rate", ylabel="recall (anomalies found)")


def plot_precision_recall(axes: Axes, y: Any, scores: ArrayLike) -> None:
    """Draw the precision-recall curve: the share of correct alarms against the share of anomalies found.

    Parameters
    ----------
    y
        Labels, shape (N,): 1 anomaly, 0 normal; rows without a label are left out.
    scores
        Shape (N,), higher is more anomalous.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plot_precision_recall(axes, [0, 0, 1], [0.1, 0.4, 0.9])
    >>> axes.get_ylabel()
    'precision (correct alarms)'
    """
    require_extra("matplotlib")
    labels, values = _labelled(y, scores)
    axes.axhline(labels.mean(), color=UNLABELLED, linewidth=1, linestyle=":", label="by chance")
    PrecisionRecallDisplay.from_predictions(labels, values, ax=axes)
    _finish_curve(axes, xlabel="recall (anomalies found)", ylabel="precision (correct alarms)")


def _labelled(y: Any, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = as_scores(scores)
    labels = read_labels(y, rows=len(values), to_learn=False).values
    check_classes(int((labels == 0).sum()), int((labels == 1).sum()))
    known = ~np.isnan(labels)
    return labels[known], values[known]


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)


def _finish_curve(axes: Axes, *, xlabel: str, ylabel: str) -> None:
    axes.lines[-1].set(color=NORMAL, linewidth=1.8, label="these scores")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="auto", xlabel=xlabel, ylabel=ylabel)
    _legend_above(axes)


def plot_training(axes: Axes, checks: Sequence[Mapping[str, float | None]]) -> None:
    """Draw the training and validation loss of one network over its steps.

    Parameters
    ----------
    checks
        One dict a check with ``step``, ``loss`` and ``validation_loss`` (None where there was none), such as
        ``detector.history_["alarm"]``.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    InputTypeError
        For the history of all networks.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plot_training(axes, [{"step": 10, "loss": 0.7, "validation_loss": 0.8}])
    >>> axes.get_xlabel()
    'step'
    """
    require_extra("matplotlib")
    if isinstance(checks, Mapping):
        raise InputTypeError(
            "The 'checks' parameter of plot_training must be the checks of one network, such as "
            f"history_['alarm'] of a detector. Got those of {', '.join(map(repr, checks))} instead.",
            code="invalid_parameter",
        )
    for key, name, color, style in (
        ("loss", "training", NORMAL, "-"),
        ("validation_loss", "validation", ANOMALY, "--"),
    ):
        points = [(check["step"], check[key]) for check in checks if check.get(key) is not None]
        if points:
            marker = "o" if len(points) == 1 else None  # a line needs two points
            axes.plot(*zip(*points, strict=True), color=color, linestyle=style, marker=marker, label=name)
    axes.set(xlabel="step", ylabel="loss")
    _legend_above(axes)


def plot_found(axes: Axes, found: Sequence[int]) -> None:
    """Draw the number of anomalies found by the number of rows reviewed.

    Parameters
    ----------
    found
        Anomalies found after 1, 2, ... reviewed rows.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    InputError
        For anything but one number a row.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> plot_found(axes, [0, 1, 1, 2])
    >>> axes.get_xlabel()
    'rows reviewed'
    """
    require_extra("matplotlib")
    from matplotlib.ticker import MaxNLocator

    if np.ndim(found) != 1 or np.asarray(found).dtype.kind not in "iuf":
        raise InputError(
            "The 'found' parameter of plot_found must be a list of one number for each reviewed row. "
            f"Got {found!r} instead.",
            code="invalid_parameter",
        )
    axes.step(range(len(found) + 1), [0, *found], where="post", color=ANOMALY, linewidth=1.8)
    axes.set(xlabel="rows reviewed", ylabel="anomalies found")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0, max(1, len(found)))
    axes.set_ylim(0, 1.05 * max([1, *found]))


def inline_svg(draw: Callable[[Axes], None], *, name: str, label: str, size: tuple[float, float]) -> str:
    """Draw a picture as SVG to put inside an HTML page, where it follows the page's font and colours.

    The page defines the CSS variables ``--normal``, ``--anomaly``, ``--unlabelled`` and ``--ink``.

    Parameters
    ----------
    draw
        Draws on the axes it is given.
    name
        A word no other picture of the page has; it keeps the element ids apart.
    label
        What the picture shows, for those who cannot see it.
    size
        Width and height in inches.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.

    Examples
    --------
    >>> draw = lambda axes: plot_scores(axes, [0.5, 1.0])
    >>> svg = inline_svg(draw, name="scores", label="Scores", size=(6, 3))
    >>> svg.startswith("<svg "), "var(--ink)" in svg
    (True, True)
    """
    require_extra("matplotlib")
    from matplotlib import style
    from matplotlib.figure import Figure

    text = io.StringIO()
    with style.context(["default", PAGE_STYLE]):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        for artist in axes.findobj():
            artist.set_clip_on(False)  # clip paths are the only url() that Matplotlib would write
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(text.getvalue(), name=name, label=label)


def inline_image(image: NDArray[np.float32], *, largest: int = LARGEST_IMAGE) -> str:
    """Give an image as a data URI to put inside an HTML page; large ones are made smaller.

    Parameters
    ----------
    image
        Shape (C, H, W), 1 or 3 channels; values beyond [0, 1] are shown as the nearest of them.
    largest
        Pixels of the longer side, at most.

    Raises
    ------
    MissingExtraError
        If Pillow, which Matplotlib brings along, is not installed.
    InputError
        For another shape.

    Examples
    --------
    >>> inline_image(np.zeros((1, 28, 28), dtype=np.float32))[:22]
    'data:image/png;base64,'
    """
    require_extra("PIL.Image")
    from PIL import Image

    if np.ndim(image) != 3 or len(image) not in (1, 3):
        raise InputError(
            f"image has shape {np.shape(image)}; pass (C, H, W), with 1 or 3 channels", code="wrong_shape"
        )
    pixels = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    picture.thumbnail((largest, largest))
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _for_page(svg: str, *, name: str, label: str) -> str:
    view_box = re.search(r'viewBox="[^"]*"', svg)
    content = svg[svg.index("</metadata>") + len("</metadata>") :]
    content = re.sub(r"<style.*?</style>", "", content, flags=re.DOTALL)
    content = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", content)  # Matplotlib before 3.9
    content = re.sub(r"font-family: [^;\"]*;? ?", "", content)
    content = re.sub(r'\bid="', f'id="{name}-', content)
    content = re.sub(r'xlink:href="#', f'href="#{name}-', content)
    for color, variable in PAGE_COLORS.items():
        content = content.replace(color, f"var(--{variable})")
    opening = f'<svg {view_box[0] if view_box else ""} role="img" aria-label="{html.escape(label)}">'
    return opening + content.strip()
