"""Rows that a model was trained on are recognised, and what is measured on them is said to be too good."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner

from alarmnet._shared.labels import Labels
from alarmnet.cli import main
from alarmnet.data_files import write_table
from alarmnet.detectors.recognition import Recognised, SeenRows, keys_with
from alarmnet.detectors.roles import refit_rows
from alarmnet.preprocessing.row_store import TensorRows
from alarmnet.preprocessing.rows import row_keys
from alarmnet.report import make_report

TOO_GOOD = "the measures are too good"


def table(seed: int, rows: int = 300) -> pa.Table:
    """Rows with a rare category and a long tail, so that a fifth of them hardly ever has all values."""
    generator = np.random.default_rng(seed)
    values = generator.standard_t(3, size=(rows, 3))
    values[:12] += 8
    kinds = np.where(np.arange(rows) % 50 == 7, [f"rare {row}" for row in range(rows)], "usual")
    return pa.table({**{f"c{column}": values[:, column] for column in range(3)}, "kind": kinds})


@pytest.fixture(scope="module")
def labels() -> np.ndarray[Any, Any]:
    return np.repeat([1.0, 0.0], [12, 288])


@pytest.fixture(scope="module")
def model(small: Callable[..., Any], labels: np.ndarray[Any, Any]) -> Any:
    return small(alarm_rate=0.05).fit(table(0), labels)


def found_in(model: Any, data: pa.Table) -> Recognised:
    seen = SeenRows(model.fitted_state())
    for start in range(0, len(data), 100):
        seen.add(data.slice(start, 100))
    return seen.recognised


def test_training_rows_are_recognised_in_any_order_and_part(model: Any) -> None:
    kept = len(model.calibration_scores_) + 12
    assert found_in(model, table(0)) == Recognised(kept, kept)
    shuffled = table(0).take(np.random.default_rng(0).permutation(300)[:200])
    part = found_in(model, pa.concat_tables([shuffled, table(1, 1_000)]))
    assert 0.5 * kept < part.found < kept
    assert TOO_GOOD in part.note()


def test_new_rows_are_not_said_to_be_training_rows(model: Any) -> None:
    assert found_in(model, table(1)).note() == ""
    mixed = pa.concat_tables([table(1), table(0).slice(20, 30)])
    assert found_in(model, mixed).note() == "", "a few rows are there by chance"


def test_rows_that_all_look_alike_are_no_sign(small: Callable[..., Any]) -> None:
    """Equal rows come again in any data."""
    values = np.random.default_rng(0).integers(0, 8, size=(300, 1)).astype(float)
    model = small(alarm_rate=0.05).fit(values)
    seen = SeenRows(model.fitted_state())
    seen.add(values)
    assert seen.recognised.note() == ""


def test_evaluate_and_report_say_it(model: Any, labels: np.ndarray[Any, Any], tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    for name, seed in (("train", 0), ("test", 1)):
        named = table(seed).append_column("y", pa.array(labels.astype(int)))
        write_table(tmp_path / f"{name}.csv", [named])
        words = ["evaluate", str(tmp_path / "model"), str(tmp_path / f"{name}.csv"), "--label", "y"]
        result = CliRunner().invoke(main, [*words, "--anomaly", "1"], catch_exceptions=False)
        assert (TOO_GOOD in result.stdout) == (name == "train")
        result = CliRunner().invoke(main, [*words, "--anomaly", "1", "--json"], catch_exceptions=False)
        rows = json.loads(result.stdout)["training_rows"]
        assert (rows["found"] == rows["kept"]) == (name == "train")
        hints = make_report(model, table(seed), labels).facts["hints"]
        assert any(TOO_GOOD in hint for hint in hints) == (name == "train")


def test_training_data_is_not_compared_with_ranges_that_lack_its_calibration_rows(
    model: Any, labels: np.ndarray[Any, Any]
) -> None:
    counted = model.encoder_.summarize(table(0))
    assert counted.unseen, "a calibration row has a category that the encoder did not learn"
    facts = make_report(model, table(0), labels).facts["data"]
    assert facts["cells"] == []
    assert facts["held_out"] == len(model.calibration_scores_)
    mixed = pa.concat_tables([table(1), table(0).take(model.calibration_rows_[:20])])
    other = make_report(model, mixed).facts["data"]
    assert (other["held_out"], bool(other["cells"])) == (0, True), "a few equal rows are compared like others"


@pytest.fixture
def plain(small: Callable[..., Any]) -> tuple[Any, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A detector, and the numbers and labels that it learned from; two of its 38 calibration rows are equal."""
    rows, labels = np.random.default_rng(0).normal(size=(200, 5)), np.repeat([1.0, 0.0], [10, 190])
    numbers = small().fit(rows, labels).calibration_rows_[:2]
    rows[numbers[1]] = rows[numbers[0]]
    return small().fit(rows, labels), rows, labels


def test_a_refit_recognises_calibration_rows_in_another_width_of_numbers(plain: Any) -> None:
    detector, rows, labels = plain
    expected = copy.deepcopy(detector).refit_alarm(rows, labels)
    for X in (rows.astype(np.float32), rows + 1e-7):
        found = copy.deepcopy(detector).refit_alarm(X, labels)
        np.testing.assert_array_equal(found.calibration_rows_, expected.calibration_rows_)
        np.testing.assert_allclose(found.logits(rows), expected.logits(rows), rtol=0, atol=1e-2)
        labels_now = labels.copy()
        labels_now[detector.calibration_rows_[5:8]] = 1
        assert len(found.refit_alarm(X, labels_now).calibration_scores_) == 35


def test_only_rows_that_are_not_there_are_recognised_up_to_rounding() -> None:
    kept = np.array([[0.0], [8e-6], [1.0]], dtype=np.float32)
    rows = np.array([[0.0], [-4e-6], [1 + 1e-6]], dtype=np.float32)
    equal, close, rounded = keys_with(TensorRows(torch.from_numpy(rows)), kept, row_keys(kept))
    assert equal == row_keys(kept)[0], "a row that is there is that row"
    assert close == row_keys(rows)[1], "and a row close to it is another one"
    assert rounded == row_keys(kept)[2]


def test_of_equal_calibration_rows_as_many_stay_as_the_table_has_without_the_label() -> None:
    labels = Labels(np.array([1.0, 0, 0, 0]), np.array([0, 1]))
    keys, calibration = np.array([7, 7, 5, 9], dtype=np.uint64), np.array([7, 7, 5], dtype=np.uint64)
    still_normal, free = refit_rows(labels, np.array([1, 2, 3]), keys, calibration)
    assert (still_normal.tolist(), free.tolist()) == ([0, 2], [3])
