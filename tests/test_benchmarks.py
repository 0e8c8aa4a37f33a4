"""The logic of the benchmarks: what is recorded, generated and put into tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from benchmarks import (
    explanation_peers,
    explanation_tables,
    explanations,
    few_label_tables,
    few_labels,
    label_noise,
    r_tables,
    size,
    speed,
    unclean_calibration,
)
from benchmarks.arguments import seed_count
from benchmarks.products import Products
from torch import nn


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
    X, y = speed.data_of((6,), rows=700)
    products = speed.recorded(speed.a3, X, y, 64)
    assert list(products) == ["target", "alarm", "second alarm", "third alarm"]
    # eight layers forward, as many gradients of weights, and of all inputs but the first
    assert len(products["target"].calls) == 8 + 8 + 7


def test_halves_of_a_table_of_r_have_half_of_each_kind_and_no_column_that_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = np.repeat([0.0, 1.0, np.nan], [60, 20, 5])
    ages = np.arange(85)
    frame = pd.DataFrame({"rownames": ages, "low": low, "bwt": ages, "age": ages, "race": "white"})
    (tmp_path / "MASS").mkdir()
    frame.astype({"low": "Int64"}).to_pickle(tmp_path / "MASS" / "birthwt.pkl.compress", compression="xz")
    monkeypatch.setenv("R_DATA", str(tmp_path))
    found = r_tables.halves("MASS/birthwt")
    assert found.frame.column_names == ["age", "race"]
    assert found.frame.num_rows == 80  # rows without an outcome are left out
    assert sorted([*found.development, *found.test]) == list(range(80))
    assert [found.anomalous[half].sum() for half in (found.development, found.test)] == [10, 10]
    assert np.array_equal(found.test, r_tables.halves("MASS/birthwt").test)


@pytest.mark.parametrize("part", ["methods", "neighbour", "one row"])
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


def test_few_labels_compares_over_the_seeds_that_all_methods_have_run_whole(tmp_path: Path) -> None:
    found = {"A3": (0.9, 0.7), "CatBoost": (0.5, 0.8)}
    runs = [
        {
            "method": method,
            "table": table,
            "known": "5",
            "others": others,
            "seed": seed,
            "ap": ap,
            "seconds": 1,
        }
        for method, seeds in {"A3": (0, 1), "CatBoost": (0, 1, 2)}.items()
        for table, ap in zip(("thyroid", "bank"), found[method], strict=True)
        for others in few_labels.OTHERS
        for seed in seeds
    ]
    path = tmp_path / "runs.jsonl"
    path.write_text("\n".join(json.dumps(run) for run in runs))
    lines = list(few_labels.table(path))
    assert "| A3 | 0.800 (0.800 to 0.800) | 0.800" in lines[2]
    assert lines[3].startswith("| CatBoost | 0.650")
    assert [line.split(" | ")[1] for line in lines[7:9]] == ["1.500 (1.500 to 1.500)"] * 2
    assert lines[-2].startswith("| A3 | 0.900 | 0.700 | 1.0 |")


@pytest.mark.parametrize("part", ["test", "validation"])
def test_few_labels_never_learns_from_rows_that_judge(part: str) -> None:
    rows = np.arange(400)
    halves = few_label_tables.Halves(pa.table({"row": rows}), rows % 4 == 0, rows[:200], rows[200:])
    data = few_labels.draw(halves, known="5", others="unlabelled", seed=0, part=part)
    learned, judged = (set(frame["row"].to_pylist()) for frame in (data.X, data.judged))
    assert not learned & judged
    assert max(learned) < 200
    assert (min(judged) >= 200) == (part == "test")
    assert np.nansum(data.y) == data.known.sum() == 5
    assert (data.anomalous == (np.array(data.judged["row"]) % 4 == 0)).all()


def test_found_causes_are_counted() -> None:
    values = np.array([[3.0, 1, 2], [0.0, 1, 2]])
    assert explanations.found_causes(values, [{0}, {0, 2}]) == {"hit_at_1": 1.0, "recall_at_n": 0.75}


def test_methods_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation_peers, "find_spec", lambda name: None if name == "shap" else object())
    said = list(explanation_peers.absent(explanation_peers.METHODS))
    assert [
        sentence.partition(" is left out of every part: shap is not installed")[0] for sentence in said
    ] == [
        "KernelSHAP",
        "KernelSHAP, our references",
    ]
    assert not list(explanation_peers.absent(["alarmnet", "integrated gradients"]))


def test_one_seed_is_singular() -> None:
    assert (seed_count(1), seed_count(3)) == ("1 seed", "3 seeds")


def test_results_of_explanations_become_a_table(tmp_path: Path) -> None:
    result = {"table": "a", "method": "alarmnet", "explained": 3, "area": 0.25, "area_similar": 1e-5}
    (tmp_path / "found.json").write_text(json.dumps({"deletion": {"results": [result, result]}}))
    heading, rule, line = explanation_tables.lines(tmp_path / "found.json", "deletion")
    assert heading == "| method | explained | area | area similar |"
    assert rule == "|---|---|---|---|"
    assert line == "| alarmnet | 6 | 0.250 | 1e-05 |"


def test_areas_are_compared_table_by_table_and_seed_by_seed(tmp_path: Path) -> None:
    results = [
        {
            "table": table,
            "seed": 0,
            "method": method,
            "area": area + 0.25 * (method == "other"),
            "area_similar": area,
        }
        for table, area in (("a", 0.1), ("b", 0.9))
        for method in ("alarmnet", "other")
    ]
    (tmp_path / "found.json").write_text(json.dumps({"deletion": {"results": results}}))
    *_, line = explanation_tables.differences(tmp_path / "found.json")
    assert line == "| other | +0.250 (+0.250 to +0.250) | +0.000 (+0.000 to +0.000) |"


def test_unclean_calibration_tries_every_rule_on_stored_scores(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    cells = [("bank", share, known, 0) for share in unclean_calibration.SHARES for known in (0, 25)]
    for cell in cells:
        hidden = np.arange(400) >= 400 * (1 - cell[1])
        np.savez(
            unclean_calibration.scores_of(tmp_path, cell),
            calibration=np.sort(generator.exponential(size=400) + 20 * hidden),
            hidden=hidden,
            known=20 + generator.exponential(size=cell[2]),
            fresh=generator.exponential(size=5000),
            anomalies=np.full(9, 20.0),
        )
    out = tmp_path / "runs.jsonl"
    for _ in range(2):
        unclean_calibration.judge(tmp_path, out, cells)
    runs = unclean_calibration.runs(out)
    assert [run["unclean"] for run in runs] == [0, 0, 0.01, 0.01, 0.02, 0.02, 0.05, 0.05]
    observed = {rule: rates["0.05"][0] for rule, rates in runs[-1]["rules"].items()}
    assert observed.pop("every row counts, as before") < 0.01
    assert all(0.03 < rate < 0.08 for rate in observed.values())
    assert "anomalies removed" in " ".join(unclean_calibration.table(out))
    assert "of 12 |" in " ".join(unclean_calibration.within(out))
    assert len([*unclean_calibration.estimates(out)]) == 2 + len(cells)


def test_label_noise_exchanges_as_many_labels_of_each_kind() -> None:
    rows = pa.table({"x": np.arange(50.0)})
    data = few_labels.Draw(rows, np.repeat([0.0, 1.0], [30, 20]), rows, np.zeros(50, dtype=bool))
    found = label_noise.spoiled(data, 0).y
    assert (found[:30] == 1).sum() == (found[30:] == 0).sum() == label_noise.WRONG
