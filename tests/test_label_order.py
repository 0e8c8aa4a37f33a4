"""Labels of pandas that have an index: it must not contradict that of the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alarmnet.baselines import RandomForest
from alarmnet.errors import AlarmnetWarning, InputError
from alarmnet.report import make_report

ROWS = 120


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(ROWS, 3))
    values[:10] += 5
    return pd.DataFrame(values, columns=["a", "b", "c"], index=[f"p{row}" for row in range(ROWS)])


@pytest.fixture(scope="module")
def labels(frame: pd.DataFrame) -> "pd.Series[float]":
    return pd.Series(np.repeat([1.0, 0.0], [10, ROWS - 10]), index=frame.index)


def test_labels_in_another_order_are_refused(
    small: Callable[..., Any], frame: pd.DataFrame, labels: "pd.Series[float]"
) -> None:
    turned = labels[::-1]
    detector = small(alarm_rate=0.1).fit(frame, turned.loc[frame.index])
    for take in (
        small().fit,
        detector.refit_alarm,
        RandomForest(random_state=0).fit,
        lambda X, y: make_report(detector, X, y),
    ):
        with pytest.raises(
            InputError, match=r"the same index in different orders.*y\.loc\[X\.index\]"
        ) as refusal:
            take(frame, turned)
        assert refusal.value.code == "label_order"
        assert "At position 0, the index of X has 'p0', and that of y has 'p119'" in str(refusal.value)
        assert take(frame, turned.to_numpy()[::-1]) is not None


def test_another_index_is_taken_by_position_with_a_warning(
    small: Callable[..., Any], frame: pd.DataFrame, labels: "pd.Series[float]"
) -> None:
    numbered = labels.reset_index(drop=True)
    with pytest.warns(AlarmnetWarning, match="the indexes of X and y differ; labels are taken by position"):
        found = small(alarm_rate=0.1).fit(frame, numbered)
    same = small(alarm_rate=0.1).fit(frame.to_numpy(), labels)
    assert found.label_counts_ == same.label_counts_
    assert np.array_equal(found.decision_scores_, same.decision_scores_)
