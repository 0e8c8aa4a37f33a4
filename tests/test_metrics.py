import time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet import AlarmnetWarning, InputError, metrics
from alarmnet.metrics import evaluate, proportion


def labelled_scores(rows: int, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = (generator.random(rows) < share).astype(float)
    return y, generator.normal(size=rows) + 1.5 * y


def test_a_case_worked_by_hand() -> None:
    # ranked: anomaly, normal, anomaly, normal -> precision 1 and 2/3; 3 of 4 pairs in order
    result = evaluate([1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0], budget=3, threshold=2.5)
    assert result.average_precision.value == pytest.approx((1 + 2 / 3) / 2)
    assert result.roc_auc.value == pytest.approx(0.75)
    assert result.recall_at_budget.value == pytest.approx(1.0)
    assert result.precision_at_budget.value == pytest.approx(2 / 3)
    assert result.alarm_rate is not None
    assert result.alarm_rate.value == 0.5
    assert result.recall is not None
    assert result.recall.value == 0.5


def test_higher_scores_are_more_anomalous() -> None:
    assert evaluate([0, 0, 1], [0.0, 1.0, 2.0]).roc_auc.value == 1
    assert evaluate([0, 0, 1], [2.0, 1.0, 0.0]).roc_auc.value == 0


def test_a_score_at_the_threshold_is_no_alarm() -> None:
    result = evaluate([0, 1], [0.0, 1.0], threshold=1.0)
    assert result.recall is not None
    assert result.recall.value == 0


def test_equal_scores_share_the_budget_whatever_their_order() -> None:
    for y in ([1, 0, 0, 0], [0, 0, 0, 1]):
        assert evaluate(y, [1.0] * 4, budget=2).recall_at_budget.value == 0.5


def test_budget_defaults_to_the_number_of_anomalies() -> None:
    result = evaluate([1, 1, 0, 0, 0], [5.0, 1.0, 4.0, 3.0, 2.0])
    assert result.budget == 2
    assert result.recall_at_budget == result.precision_at_budget


@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_the_resampled_formulas_agree_with_scikit_learn(decimals: int) -> None:
    y, scores = labelled_scores(400, 0.2)
    scores = scores.round(decimals)
    levels = metrics._levels(y, scores)
    assert metrics._average_precision(levels) == pytest.approx(average_precision_score(y, scores))
    assert metrics._roc_auc(levels) == pytest.approx(roc_auc_score(y, scores))
    assert levels.sum(axis=0).tolist() == [(y == 0).sum(), y.sum()]


def test_intervals_match_a_plain_bootstrap() -> None:
    y, scores = labelled_scores(300, 0.2)
    generator = np.random.default_rng(1)
    groups = [np.flatnonzero(y == label) for label in (0, 1)]
    plain = []
    for _ in range(400):
        rows = np.concatenate([generator.choice(group, len(group)) for group in groups])
        plain.append(average_precision_score(y[rows], scores[rows]))
    found = evaluate(y, scores, resamples=1000).average_precision
    assert [found.low, found.high] == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=0.03)


def test_coarse_levels_change_the_interval_hardly() -> None:
    y, scores = labelled_scores(20_000, 0.5)
    levels = metrics._levels(y, scores)
    coarse = metrics._coarse(levels)
    assert len(coarse) <= metrics.MOST_LEVELS + 1 < len(levels)
    assert metrics._average_precision(coarse) == pytest.approx(metrics._average_precision(levels), abs=1e-3)
    assert metrics._roc_auc(coarse) == pytest.approx(metrics._roc_auc(levels), abs=1e-3)


def test_a_wider_confidence_gives_a_wider_interval_and_the_seed_repeats_it() -> None:
    y, scores = labelled_scores(200, 0.1)
    wide, narrow = (evaluate(y, scores, confidence=c).roc_auc for c in (0.99, 0.5))
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high
    assert evaluate(y, scores, seed=3) == evaluate(y, scores, seed=3) != evaluate(y, scores, seed=4)


def test_large_data_stays_fast() -> None:
    y, scores = labelled_scores(300_000, 0.3)
    start = time.perf_counter()
    evaluate(y, scores)
    assert time.perf_counter() - start < 10  # about 0.4 s on an idle machine


def test_unlabelled_rows_are_left_out_and_counted() -> None:
    y, scores = labelled_scores(100, 0.3)
    with_unlabelled = evaluate([*y, np.nan, None], [*scores, 99.0, -99.0])
    assert with_unlabelled.unlabelled == 2
    assert with_unlabelled.average_precision == evaluate(y, scores).average_precision
    assert with_unlabelled.normal + with_unlabelled.anomalies == 100


@pytest.mark.parametrize(
    "y",
    [
        [1, None, 0],
        [True, None, False],
        np.array([1.0, np.nan, 0.0]),
        np.array([1, pd.NA, 0], dtype=object),
        pd.Series([1, pd.NA, 0], dtype="Int64"),
        pd.Series([True, None, False], dtype="boolean"),
        pl.Series([1, None, 0]),
        ["1", None, "0"],
    ],
)
def test_labels_of_every_kind(y: object) -> None:
    found = evaluate(y, [1.0, 2.0, 0.0])
    assert (found.normal, found.anomalies, found.unlabelled) == (1, 1, 1)
    assert found.roc_auc.value == 1


def test_labels_that_mark_anomalies_can_be_named() -> None:
    y, scores = ["dos", "normal", "probe", None], [2.0, 1.0, 3.0, 4.0]
    assert evaluate(y, scores, anomaly_label=["dos", "probe"]).anomalies == 2
    with pytest.warns(AlarmnetWarning, match="'odd', of 1 rows, is taken as the anomaly"):
        assert evaluate(["fine", "odd", "fine"], [0.0, 1.0, 0.5]).anomalies == 1


def note_on(y: np.ndarray, scores: np.ndarray) -> str:
    found = evaluate(y, scores, threshold=1.0)
    return metrics.reversed_note(found.normal, found.anomalies, found.roc_auc, found.recall)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_labels_that_look_reversed_are_noted(share: float) -> None:
    y, scores = labelled_scores(1000, share)
    note = note_on(1 - y, scores)
    assert note.startswith("Rows labelled normal score higher than anomalies: the ROC AUC is 0.1")
    assert "see which value anomaly_label names" in note
    assert not note_on(y, scores)


def test_labels_are_not_reversed_where_most_anomalies_raise_an_alarm() -> None:
    """A table of attacks alone, whose few normal rows are odder than the attacks."""
    y, scores = np.repeat([0, 1], [12, 500]), np.repeat([9.0, 3.0], [12, 500])
    assert not note_on(y, scores)
    assert note_on(y, scores - 5)


def test_labels_do_not_look_reversed_by_chance() -> None:
    y, scores = labelled_scores(1000, 0.2)
    assert not note_on(y, np.random.default_rng(1).normal(size=1000))
    assert not note_on(1 - y[:20], scores[:20])


def test_an_exact_interval_is_not_empty_at_the_edges() -> None:
    nothing, everything = proportion(0, 100), proportion(100, 100)
    assert (nothing.value, nothing.low) == (0, 0)
    assert nothing.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert everything.low == pytest.approx(0.025 ** (1 / 100))


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([0, 0, None], "only one class: 2 normal rows and no anomaly"),
        ([1, 1, None], "only one class: 2 anomalies and no normal row"),
        ([1, None, None], "only one class: 1 anomaly and no normal row"),
        ([None, None, None], "y holds no label"),
        ([0, 1], "scores has 3 rows, y has 2 labels"),
        ([0, 2, 1], "Only binary classification is supported. The labels are 0, 1, 2"),
        (["yes", "yes", None], "y holds one class only, 'yes', which is neither 0"),
    ],
)
def test_labels_that_cannot_be_used(y: list[object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        evaluate(y, [0.0, 1.0, 2.0])


def test_scores_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match="scores hold nan at row 1; every score must be a finite") as caught:
        evaluate([0, 1], [0.0, float("nan")])
    assert caught.value.rows == (1,)
    with pytest.raises(InputError, match=r"scores have shape \(2, 1\)"):
        evaluate([0, 1], [[0.0], [1.0]])


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"budget": 0}, "'budget' parameter of evaluate must be a whole number of at least 1. Got 0 instead"),
        ({"budget": 3}, "budget=3 must be from 1 to 2"),
        ({"confidence": 1.0}, r"\'confidence\' parameter of evaluate must be a number in \(0, 1\)"),
        ({"resamples": 0}, "'resamples' parameter of evaluate must be a whole number of at least 1"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        evaluate([0, 1], [0.0, 1.0], **parameters)  # type: ignore[arg-type]


def test_the_callers_data_is_left_alone() -> None:
    y, scores = labelled_scores(50, 0.3)
    y_before, scores_before = y.copy(), scores.copy()
    evaluate(y, scores, threshold=0.0)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(scores, scores_before)


def test_masked_scores_are_missing() -> None:
    scores = np.ma.array([0.1, 0.2, 9.0], mask=[False, False, True])
    with pytest.raises(InputError, match="scores hold nan at row 2"):
        evaluate([0, 1, 1], scores)
    assert evaluate([0, 1], scores[:2]).average_precision.value == 1
    with pytest.raises(InputError, match="every score must be a finite number"):
        evaluate([0, 1], np.ma.array(["a", "b"]))


def test_scores_in_another_order_than_labels_are_refused() -> None:
    y, scores = pd.Series([0, 0, 1, 1], index=[*"abcd"]), pd.Series([0.4, 0.1, 0.2, 0.3], index=[*"dabc"])
    with pytest.raises(InputError, match=r"scores and y have the same index .* Pass y\.loc\[scores\.index\]"):
        evaluate(y, scores)
    assert evaluate(y.loc[scores.index], scores).roc_auc.value == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": np.nan},
        {"threshold": "0"},
        {"budget": 1.5},
        {"budget": True},
        {"seed": None},
        {"seed": -1},
    ],
    ids=str,
)
def test_parameters_of_another_kind_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"'{next(iter(wrong))}' parameter of evaluate"):
        evaluate([0, 1], [0.0, 1.0], **wrong)


@pytest.mark.parametrize("scores", [[0j, 1j], ["0", "1"], [None, 1.0]])
def test_scores_that_are_no_numbers_are_refused(scores: Any) -> None:
    with pytest.raises(InputError, match="every score must be a finite number"):
        evaluate([0, 1], scores)
