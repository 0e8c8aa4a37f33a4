import base64
import io
import sys
from typing import Any

import numpy as np
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from PIL import Image

from alarmnet import plots
from alarmnet.errors import InputError, MissingExtraError


def new_axes() -> Axes:
    return Figure().subplots()


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def test_scores_show_each_kind_of_row_and_the_threshold() -> None:
    axes = new_axes()
    plots.plot_scores(axes, [-3.0, -2.0, -1.0, 2.0], [0, 0, None, 1], threshold=0.5)
    assert legend_of(axes) == ["not labelled (1)", "normal (2)", "known anomaly (1)", "threshold"]
    assert axes.get_yscale() == "log"
    assert list(np.asarray(axes.lines[0].get_xdata())) == [0.5, 0.5]


@pytest.mark.parametrize("plot", [plots.plot_scores, plots.plot_roc, plots.plot_precision_recall])
def test_scores_that_are_no_finite_numbers_are_refused(plot: Any) -> None:
    with pytest.raises(InputError, match="every score must be a finite number"):
        plot(new_axes(), y=[0, 1], scores=[1.0, np.nan])


@pytest.mark.parametrize("threshold", [np.nan, np.inf, None, "0"])
def test_a_threshold_that_is_no_finite_number_is_refused(threshold: Any) -> None:
    with pytest.raises(InputError, match="The 'threshold' parameter of plot_scores must be a number in"):
        plots.plot_scores(new_axes(), [0.0, 1.0], threshold=threshold)


def test_the_history_of_all_networks_is_refused() -> None:
    history: Any = {"target": [{"step": 1, "loss": 2.0}], "alarm": []}
    with pytest.raises(InputError, match=r"of one network, .* Got those of 'target', 'alarm' instead"):
        plots.plot_training(new_axes(), history)


def test_scores_whose_differences_are_infinite_are_refused() -> None:
    with pytest.raises(InputError, match=r"range from -1e\+308 to 1e\+308; plot_scores draws them up to"):
        plots.plot_scores(new_axes(), [1e308, -1e308])


@pytest.mark.parametrize("found", [None, 3, [[1]], ["a"]])
def test_what_is_no_number_a_row_is_no_count_of_anomalies(found: Any) -> None:
    with pytest.raises(InputError, match="The 'found' parameter of plot_found must be a list of one number"):
        plots.plot_found(new_axes(), found)


@pytest.mark.parametrize("shape", [(4, 4), (2, 4, 4), (1, 1, 4, 4)])
def test_images_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"image has shape \(.*\); pass \(C, H, W\), with 1 or 3 channels"):
        plots.inline_image(np.zeros(shape, dtype=np.float32))


@pytest.mark.parametrize("plot", [plots.plot_roc, plots.plot_precision_recall])
def test_curves_of_one_class_are_refused(plot: Any) -> None:
    with pytest.raises(InputError, match="y holds only one class"):
        plot(new_axes(), y=[0, 0, None], scores=[1.0, 2.0, 3.0])


def test_scores_without_labels_and_of_equal_rows() -> None:
    axes = new_axes()
    plots.plot_scores(axes, [1.0, 1.0])
    assert legend_of(axes) == ["all rows (2)", "threshold"]


@pytest.mark.parametrize("apart", [0.0, 1e-16, 1e-3, 1.0])
def test_no_bin_has_rows_on_both_sides_of_the_threshold(apart: float) -> None:
    axes, threshold = new_axes(), 0.7
    scores = threshold + apart * np.array([-3.0, -1.0, 0.0, 1.0, 100.0, 1e4])
    plots.plot_scores(axes, scores, threshold=threshold)
    values, edges, _ = next(one for one in axes.patches if isinstance(one, StepPatch)).get_data()
    counts = np.nan_to_num(values)
    assert counts.sum() == len(scores)
    assert counts[edges[1:] <= threshold].sum() == (scores <= threshold).sum()
    assert threshold in edges


def test_one_check_of_a_training_is_drawn() -> None:
    axes = new_axes()
    plots.plot_training(axes, [{"step": 10, "loss": 0.7, "validation_loss": None}])
    assert axes.lines[0].get_marker() == "o"


@pytest.mark.parametrize("found", [[], [0], [0, 0, 0], [1], [0, 1, 2]])
def test_found_anomalies_are_whole_numbers(found: list[int]) -> None:
    axes = new_axes()
    plots.plot_found(axes, found)
    ticks = np.concatenate([axes.get_xticks(), axes.get_yticks()])
    assert (ticks == np.round(ticks)).all()
    assert axes.get_ylim()[1] >= 1


def test_curves_take_labelled_rows_only_and_higher_as_anomalous() -> None:
    y, scores = [0, 0, 1, None], [0.1, 0.2, 0.9, 0.95]
    roc, precision_recall = new_axes(), new_axes()
    plots.plot_roc(roc, y, scores)
    plots.plot_precision_recall(precision_recall, y, scores)
    curve = np.asarray(roc.lines[-1].get_xydata())
    assert [0.0, 1.0] in curve.tolist()  # every anomaly found, no normal row alarmed
    assert np.asarray(precision_recall.lines[-1].get_ydata()).max() == 1.0
    assert legend_of(roc) == legend_of(precision_recall) == ["by chance", "these scores"]


def test_training_leaves_out_a_validation_loss_that_is_not_there() -> None:
    axes = new_axes()
    plots.plot_training(axes, [{"step": 1, "loss": 2.0}, {"step": 5, "loss": 1.0}])
    assert legend_of(axes) == ["training"]
    assert np.asarray(axes.lines[0].get_xydata()).tolist() == [[1, 2], [5, 1]]


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="X has 2 rows, y has 1 labels"):
        plots.plot_roc(new_axes(), [1], [0.1, 0.2])


@pytest.mark.parametrize(
    "draw",
    [
        lambda axes: plots.plot_scores(axes, [0.0, 1.0]),
        lambda axes: plots.plot_roc(axes, [0, 1], [0.0, 1.0]),
        lambda axes: plots.plot_precision_recall(axes, [0, 1], [0.0, 1.0]),
        lambda axes: plots.plot_training(axes, []),
        lambda axes: plots.inline_svg(axes, name="a", label="b", size=(1, 1)),
    ],
)
def test_without_matplotlib_the_extra_is_named(draw: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = new_axes()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"need matplotlib.*pip install 'alarmnet\[report\]'"):
        draw(axes)


def inline(name: str = "scores", label: str = "Scores") -> str:
    generator = np.random.default_rng(0)
    scores = generator.normal(size=200)
    return plots.inline_svg(
        lambda axes: plots.plot_scores(axes, scores, scores > 1), name=name, label=label, size=(5, 3)
    )


def test_inline_svg_follows_the_page() -> None:
    svg = inline()
    assert svg.startswith("<svg ")
    assert svg.endswith("</svg>")
    for variable in ("normal", "anomaly", "ink"):
        assert f"var(--{variable})" in svg
    for stranger in ("url(", "http", "font-family", "<style", "<?xml", "#123456", "#2f6fab"):
        assert stranger not in svg, stranger


def test_inline_svg_keeps_ids_apart_and_escapes_its_label() -> None:
    one, other = ({part.split('"')[0] for part in inline(name).split(' id="')[1:]} for name in "ab")
    assert one
    assert not one & other
    assert 'aria-label="&lt;b&gt; &quot;"' in inline(label='<b> "')


def test_inline_svg_repeats_and_leaves_global_settings_alone() -> None:
    first = inline()
    with rc_context({"axes.facecolor": "red", "font.size": 30.0}):
        before = dict(rcParams)
        assert inline() == first
        assert dict(rcParams) == before


def test_an_image_is_clipped_and_not_enlarged() -> None:
    image = np.array([[[-1.0, 0.5], [1.0, 9.0]]], dtype=np.float32)
    uri = plots.inline_image(image)
    shown = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert np.asarray(shown).tolist() == [[0, 128], [255, 255]]
    assert image.tolist() == [[[-1.0, 0.5], [1.0, 9.0]]]
