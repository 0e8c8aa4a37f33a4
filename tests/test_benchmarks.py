"""The logic of the benchmarks: what is recorded, generated and put into tables."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from benchmarks import size, speed
from benchmarks.products import Products
from torch import nn

from alarmnet import A3Detector, DenseAlarm, Schedule


def test_products_are_recorded_forward_and_backward_and_repeated() -> None:
    network = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1))
    with Products() as products:
        network(torch.zeros(7, 3)).sum().backward()
    shapes = sorted(tuple(args[0].shape + args[1].shape) for _, args, _ in products.calls)
    # forward twice, both weights' gradients, and the gradient of the hidden layer
    assert shapes == sorted([(7, 3, 3, 5), (7, 5, 5, 1), (1, 7, 7, 5), (5, 7, 7, 3), (7, 1, 1, 5)])
    products()
    assert len(products.calls) == 5


def test_one_step_of_each_network_is_recorded() -> None:
    X, y = speed.data_of((6,), rows=300)

    def make(schedule: Schedule) -> A3Detector:
        alarm = DenseAlarm(hidden=(4,))
        return A3Detector(alarm=alarm, target_schedule=schedule, alarm_schedule=schedule, alarm_rate=0.1)

    products = speed.recorded(make, X, y, 64)
    assert list(products) == ["target", "alarm", "second alarm"]
    # eight layers forward, as many gradients of weights, and of all inputs but the first
    assert len(products["target"].calls) == 8 + 8 + 7


@pytest.mark.parametrize("part", ["methods", "neighbour"])
def test_tables_have_a_line_a_finding(part: str, tmp_path: Path) -> None:
    found = dict.fromkeys(speed.COLUMNS[part], 1.5)
    (tmp_path / "speed.json").write_text(
        json.dumps({part: [found, {"method": "PyOD", "note": "not installed"}]})
    )
    heading, rule, line, absent = speed.table(tmp_path / "speed.json", part)
    assert heading.count("|") == rule.count("|") == line.count("|") == absent.count("|")
    assert "1.50" in line
    assert "not installed" in absent


def test_generated_tables_have_80_mixed_columns_and_labels(tmp_path: Path) -> None:
    size.generate(tmp_path / "t.parquet", 5000)
    table = pyarrow.parquet.read_table(tmp_path / "t.parquet")
    assert (len(table), table.num_columns) == (5000, size.COLUMNS + 1)
    missing = [name for name in table.column_names[:-1] if table[name].null_count]
    assert len(missing) == size.MISSING_NUMBERS + size.MISSING_TEXTS
    assert 0 < table["anomaly"].drop_null().to_numpy().sum() < 25
    again = pyarrow.table(dict(size.columns(5000, np.random.default_rng(5000))))
    assert table.equals(again)


def test_the_share_of_the_data_leaves_out_what_the_smallest_fit_takes() -> None:
    fits = [{"rows": 1000, "peak_bytes": 400_000_000}, {"rows": 1_000_000, "peak_bytes": 1_040_000_000}]
    assert size.share_of_data({"fit": fits}, 1_000_000) == 2.0
