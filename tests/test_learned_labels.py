"""Labels that a fitted detector is given later: they mean what they meant to `fit`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from alarmnet._shared.labels import learned_labels, read_labels
from alarmnet.cli import main
from alarmnet.errors import AlarmnetWarning
from alarmnet.report import make_report

KNOWN = 10
LABELS = np.repeat([1, 0], [KNOWN, 110])
CALLED = {
    "text": np.where(LABELS == 1, "chargeback", "legit"),
    "-1 and 1": 1 - 2 * LABELS,
    "0 and 1": 1 - LABELS,
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(len(LABELS), 3))
    values[:KNOWN] += 5
    return pd.DataFrame(values, columns=["a", "b", "c"])


@pytest.mark.filterwarnings("error::alarmnet.errors.AlarmnetWarning")
@pytest.mark.parametrize("called", CALLED.values(), ids=CALLED)
def test_a_report_reads_labels_as_fit_did(
    small: Callable[..., Any], frame: pd.DataFrame, called: NDArray[Any]
) -> None:
    detector = small(alarm_rate=0.1, anomaly_label=called[0].item()).fit(frame, called)
    for labels in (called, LABELS.astype(bool), [True if label else None for label in LABELS]):
        assert make_report(detector, frame, labels).facts["data"]["labels"]["anomaly"] == KNOWN
    assert make_report(detector, frame, [None] * len(frame)).facts["data"]["labels"]["anomaly"] == 0


def test_a_report_reads_ones_as_anomalies_if_fit_had_text(
    small: Callable[..., Any], frame: pd.DataFrame
) -> None:
    detector = small(alarm_rate=0.1, anomaly_label="chargeback").fit(frame, CALLED["text"])
    assert make_report(detector, frame, LABELS).facts["data"]["labels"]["anomaly"] == KNOWN


@pytest.mark.parametrize("answers", [[True, False], [1, 0], ["chargeback", "legit"], ["chargeback", None]])
def test_answers_may_be_true_and_false_whatever_fit_calls_an_anomaly(
    small: Callable[..., Any], frame: pd.DataFrame, answers: list[Any]
) -> None:
    labels = ["chargeback" if known else None for known in LABELS]
    detector = small(alarm_rate=0.1, anomaly_label="chargeback").fit(frame, labels)
    rows = detector.calibration_queries(2).rows
    detector.set_calibration_labels(rows, answers)
    assert rows[0] not in detector.calibration_queries(1000).rows
    assert detector.calibration_weights_.min() == 0


def test_commands_say_which_rows_are_anomalies_in_numbers(
    small: Callable[..., Any], frame: pd.DataFrame, tmp_path: Path
) -> None:
    small(alarm_rate=0.1, anomaly_label=0).fit(frame, 1 - LABELS).save(tmp_path / "model")
    frame.assign(kind=1 - LABELS).to_csv(tmp_path / "rows.csv", index=False)
    files = [str(tmp_path / "model"), str(tmp_path / "rows.csv")]
    done = CliRunner().invoke(
        main,
        ["report", *files, "--label", "kind", "--anomaly", "0", "--out", str(tmp_path / "r.json"), "--json"],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["data"]["labels"]["anomaly"] == KNOWN


@pytest.mark.parametrize(
    ("labels", "learned"),
    [(["ok", "fraud"], "fraud"), ([1, 0], None), ([True, False], None), (["0", "1"], None), ([1, 2], 2)],
)
@pytest.mark.filterwarnings("ignore:labels are")
def test_the_label_that_fit_chose_is_learned(labels: list[Any], learned: object) -> None:
    class Fitted:
        anomaly_label = None
        classes_ = read_labels(labels, rows=2).classes

    found = learned_labels(Fitted())
    assert (found and found.anomalies) == (None if learned is None else [learned])


@pytest.mark.filterwarnings("ignore:labels are")
@pytest.mark.parametrize("kind", [int, float, str])
def test_ones_are_anomalies_in_a_report_if_fit_had_other_labels(
    small: Callable[..., Any], frame: pd.DataFrame, kind: type
) -> None:
    detector = small(alarm_rate=0.1).fit(
        frame, np.where(LABELS == 1, 2, 1) if kind is int else CALLED["text"]
    )
    later = [kind(label) for label in LABELS.tolist()]
    assert make_report(detector, frame, later).facts["data"]["labels"]["anomaly"] == KNOWN


@pytest.mark.filterwarnings("ignore:labels are")
def test_a_refit_reads_labels_as_fit_did(small: Callable[..., Any], frame: pd.DataFrame) -> None:
    detector = small(alarm_rate=0.1).fit(frame, np.where(LABELS == 1, 2, 1))
    y = np.where(LABELS == 1, 2.0, np.nan)
    y[-20:] = 1
    detector.refit_alarm(frame, y)
    assert (detector.label_counts_["normal"], detector.label_counts_["anomaly"]) == (20, KNOWN)
    with pytest.warns(AlarmnetWarning, match="no label in y equals 2"):
        detector.refit_alarm(frame, np.where(y == 1, 1.0, np.nan))
    assert (detector.label_counts_["normal"], detector.label_counts_["anomaly"]) == (20, 0)
