"""Why rows scored: contributions, groups, similar rows, what stops an alarm."""

import copy
import json
import re
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alarmnet import A3Detector, AlarmnetWarning, InputError, load
from alarmnet.explain import global_importance, patterns_of
from alarmnet.explain.attribution import Attribution, attribute
from alarmnet.explain.explanation import Reason
from alarmnet.explain.groups import groups_of
from alarmnet.explain.neighbours import Likeness, representative
from alarmnet.explain.sentences import sentence
from alarmnet.explain.tables import TableExplainer
from alarmnet.explain.words import words_of
from alarmnet.preprocessing.table_encoder import TableEncoder

Floats = NDArray[np.float64]


def game(weights: NDArray[Any], pairs: NDArray[Any]) -> Any:
    """A function of rows with interactions, evaluated a row at a time."""

    def score(rows: NDArray[np.float32]) -> Floats:
        wide = rows.astype(np.float64)
        return np.asarray(np.tanh(wide @ weights) * 3 + np.einsum("ni,ij,nj->n", wide, pairs, wide))

    return score


def apart(score: Any, rows: Any, references: Any, places: Any = None, **settings: Any) -> Attribution:
    """Take logits apart; references (N, R, F), or (N, F) where each row has one."""
    references = references if references.ndim == 3 else references[:, None]
    base = score(references.reshape(-1, rows.shape[1])).reshape(references.shape[:2])
    places = np.arange(rows.shape[1]) if places is None else places
    return attribute(score, rows, references, base, places, **settings)


def random_game(seed: int, columns: int) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(seed)
    rows, references = generator.normal(size=(2, 6, columns)).astype(np.float32)
    references[0, 0] = rows[0, 0]
    weights, pairs = generator.normal(size=columns), generator.normal(size=(columns, columns))
    return game(weights, pairs), rows, references


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9))
def test_contributions_add_up_to_the_difference(seed: int, columns: int) -> None:
    score, rows, references = random_game(seed, columns)
    found = apart(score, rows, references)
    np.testing.assert_allclose(found.values.sum(axis=1), found.logits - found.base, atol=1e-9)
    assert found.values[0, 0] == 0  # where a row and its reference agree


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(6)))
def test_the_order_of_columns_changes_nothing(seed: int, order: list[int]) -> None:
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(4, 6)).astype(np.float32)
    references = generator.normal(size=(4, 5, 6)).astype(np.float32)
    weights, pairs = generator.normal(size=6), generator.normal(size=(6, 6))
    found = apart(game(weights, pairs), rows, references)
    turned = apart(game(weights[order], pairs[np.ix_(order, order)]), rows[:, order], references[:, :, order])
    np.testing.assert_allclose(turned.values, found.values[:, order], atol=1e-9)


def test_columns_alike_share_alike_and_one_that_does_nothing_has_none() -> None:
    rows, references = np.ones((1, 4), np.float32), np.zeros((1, 2, 4), np.float32)
    found = apart(lambda x: (x[:, 0] * x[:, 1] + x[:, 2]).astype(float), rows, references)
    np.testing.assert_allclose(found.values, [[0.5, 0.5, 1, 0]])


def test_where_no_column_does_anything_alone_all_that_differ_share() -> None:
    rows, references = np.ones((1, 4), np.float32), np.array([[0, 0, 0, 1]], np.float32)
    found = apart(lambda x: (x[:, :3].sum(axis=1) >= 2).astype(float), rows, references)
    np.testing.assert_allclose(found.values, [[1 / 3, 1 / 3, 1 / 3, 0]])


def test_references_show_what_resetting_and_setting_do_in_turn() -> None:
    rows, references = np.ones((1, 2), np.float32), np.zeros((1, 4, 2), np.float32)
    asked = []

    def score(x: NDArray[np.float32]) -> Floats:
        asked.append(x)
        return np.asarray(x[:, 0] * 2 + x[:, 1], dtype=float)

    references[0, :, 0] = [0, 0.25, 0.5, 0.75]
    found = apart(score, rows, references, close=1, most=1)
    np.testing.assert_allclose(found.values, [[2 * (1 - 0.375), 1]])
    mixtures = {tuple(row) for row in np.concatenate(asked[2:]).tolist()}
    # reset, set, reset, set; and set for what is combined with the first reference
    assert mixtures == {(1, 0), (0, 1), (0.25, 1), (0.5, 1), (0.75, 1)}


def test_columns_that_interact_in_pairs_have_shapleys_shares() -> None:
    generator = np.random.default_rng(0)
    weights, pairs = generator.normal(size=8), generator.normal(size=(8, 8))

    def quadratic(rows: NDArray[np.float32]) -> Floats:
        wide = rows.astype(np.float64)
        return np.asarray(wide @ weights + np.einsum("ni,ij,nj->n", wide, pairs, wide))

    rows, references = generator.normal(size=(2, 5, 8)).astype(np.float32)
    found = apart(quadratic, rows, np.stack([references, references], axis=1))
    shares = (rows - references) * (weights + (rows + references) @ (pairs + pairs.T) / 2)
    np.testing.assert_allclose(found.values, shares, atol=1e-4)


def test_parts_of_a_column_are_reset_together() -> None:
    rows, references = np.array([[1, 0, 5]], np.float32), np.array([[0, 1, 3]], np.float32)
    seen = []

    def score(x: NDArray[np.float32]) -> Floats:
        seen.append(x[:, :2].sum(axis=1))
        return np.asarray(x.sum(axis=1), dtype=float)

    found = apart(score, rows, references, np.array([0, 0, 1]))
    assert (np.concatenate(seen) == 1).all()
    np.testing.assert_allclose(found.values, [[0, 2]])


@pytest.mark.parametrize(("acts", "effect"), [("together", np.minimum), ("either", np.maximum)])
def test_columns_that_act_only_together_are_named_as_a_group(acts: str, effect: Any) -> None:
    rows, references = np.ones((1, 5), np.float32), np.zeros((1, 4, 5), np.float32)

    def score(x: NDArray[np.float32]) -> Floats:
        return np.asarray(4 * effect(x[:, 0], x[:, 3]) + x[:, 1], dtype=float)

    found = apart(score, rows, references)
    (groups,) = groups_of(found, ("a", "b", "c", "d", "e"))
    assert [(group.columns, group.acts) for group in groups] == [(("a", "d"), acts)]
    assert groups[0].contribution == pytest.approx(4)


def test_columns_that_add_up_are_no_group() -> None:
    rows, references = np.ones((1, 3), np.float32), np.zeros((1, 4, 3), np.float32)
    found = apart(lambda x: x.sum(axis=1).astype(float), rows, references)
    assert groups_of(found, ("a", "b", "c")) == [()]


def test_representative_rows_have_the_values_of_all() -> None:
    ranks = np.random.default_rng(0).random((200, 3)).astype(np.float32)
    chosen = ranks[representative(ranks, 6)]
    np.testing.assert_allclose(chosen.mean(axis=0), ranks.mean(axis=0), atol=0.1)
    assert np.ptp(chosen, axis=0).min() > 0.5
    assert representative(ranks[:2], 5).tolist()[:2] in ([0, 1], [1, 0])


def test_likeness_counts_each_column_once_however_far_one_lies_out() -> None:
    generator = np.random.default_rng(0)
    normal = generator.normal(size=(50, 3)).astype(np.float32)
    row = normal[7] + np.array([1e6, 0, 0], np.float32)
    likeness = Likeness(normal, np.arange(3))
    found = likeness.nearest(likeness.ranks(row[None]), likeness.ranks(normal), 2)
    same = np.argsort(np.abs(normal[:, 1:] - normal[7, 1:]).sum(axis=1))[0]
    assert 7 in found[0] or same in found[0]
    few = likeness.nearest(likeness.ranks(row[None]), likeness.ranks(normal[:1]), 3)
    assert few.tolist() == [[0, 0, 0]]


def flows(rows: int = 400) -> tuple[pd.DataFrame, list[float]]:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "Bytes out": generator.integers(300, 50_000, rows),
            "service": generator.choice(["http", "dns"], rows),
            "amount": [f"${value:,.2f}" for value in generator.uniform(1000, 9000, rows)],
            "took": pd.to_timedelta(generator.integers(1, 4000, rows), unit="s"),
            "start": pd.Timestamp("2024-03-01")
            + pd.to_timedelta(generator.integers(0, 10**6, rows), unit="s"),
            "flag": generator.choice([True, False], rows),
            "always": 1,
            "gap": np.where(generator.random(rows) < 0.1, np.nan, generator.normal(size=rows)),
        }
    )
    table.loc[: rows // 40, "Bytes out"] = 12_000_000
    return table, [1.0] * (rows // 40 + 1) + [0.0] * (rows - rows // 40 - 1)


@pytest.fixture(scope="module")
def explained() -> tuple[A3Detector, pd.DataFrame, Any]:
    table, labels = flows()
    with pytest.warns(AlarmnetWarning, match="read as numbers"):
        detector = A3Detector(random_state=0, alarm_rate=0.05).fit(table, labels)
    return detector, table, detector.explain(table)


def test_rows_are_explained_in_the_words_of_their_table(explained: Any) -> None:
    _, _, found = explained
    first = found.rows[0]
    assert first.alarm
    assert first.reasons[0].column == "Bytes out"
    assert first.reasons[0].value == "12,000,000"
    assert first.reasons[0].normal.startswith("normal rows: ")
    assert first.counterfactual.changes[0].column == "Bytes out"
    assert first.counterfactual.score <= 0
    assert first.groups == ()
    assert first.known[0].row in range(11)
    assert first.known[0].alike > 0.5
    for phrase in (
        "Alarm, ",
        "Bytes out = 12,000,000 (normal rows: ",
        "There would be no alarm with Bytes out = ",
    ):
        assert phrase in first.sentence
    other = {change.column: change.other for change in first.normal.differs}
    assert set(other) <= set(found.names) - {"always"}
    told = {reason.column: reason for row in found.rows for reason in row.reasons}
    assert told["amount"].normal.startswith("normal rows: $")
    assert told["service"].value in ("http", "dns")
    assert told["service"].normal.endswith("of normal rows")
    assert told["start"].value.startswith("2024-03-")
    assert told["start"].normal.endswith("of normal rows at this hour")
    assert told["flag"].value in ("true", "false")
    texts = {reason.value for row in found.rows for reason in row.reasons if reason.column == "gap"}
    assert "missing" in texts


def test_booleans_are_true_and_false_in_any_form() -> None:
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"amount": generator.normal(size=80), "vip": generator.random(80) < 0.3})
    detector = A3Detector(reads="inputs", alarm_rate=0.1, random_state=0).fit(table, np.arange(80) < 3)
    for vip in (table["vip"], table["vip"].astype(int), table["vip"].astype(str)):
        rows = detector.explain(table.assign(vip=vip).iloc[:2]).rows
        values = {reason.column: reason.value for reason in rows[0].reasons}
        assert values["vip"] == str(table["vip"][0]).lower()


def test_numbers_are_whole_only_where_the_table_has_whole_ones() -> None:
    generator = np.random.default_rng(0)
    rate = np.where(generator.random(900) < 0.6, 0, generator.beta(2, 6, 900).round(2))
    rate[:9] = 1.0
    table = pd.DataFrame({"rate": rate, "port": generator.integers(1, 50, 900)})
    for scaling in ("quantile", "minmax"):
        encoder = TableEncoder(scaling=scaling)
        detector = A3Detector(reads="inputs", encoder=encoder, alarm_rate=0.05, random_state=0)
        detector.fit(table, rate == 1)
        (row,) = detector.explain(pd.DataFrame({"rate": [0.99], "port": [3]})).rows
        normal = {reason.column: reason.normal for reason in row.reasons}
        assert normal["rate"].startswith("normal rows: 0 to 0.")
        assert re.match("normal rows: [1-3] to 4[6-9]", normal["port"])
        assert row.counterfactual
        changes = {change.column: float(change.other) for change in row.counterfactual.changes}
        assert 0 < changes["rate"] < 1
        assert not detector.predict(pd.DataFrame([{"rate": 0.99, "port": 3} | changes])).any()


def test_the_share_of_normal_rows_that_are_like_a_value() -> None:
    when = pd.Timestamp("2024-03-01") + pd.to_timedelta([0.5, 1, 9, 20] * 20, unit="h")
    table = pd.DataFrame(
        {
            "number": [1.0, 2.0, 2.0, np.nan] * 20,
            "kind": ["a", "b", "b", "b"] * 20,
            "when": when + pd.to_timedelta(np.arange(80) // 4, unit="D"),
        }
    )
    table.loc[3::4, "when"] = pd.NaT
    encoder = TableEncoder()
    normal = encoder.fit_transform(table)
    others = pd.DataFrame(
        {"number": [9.0, 0.0], "kind": ["new", "a"], "when": when[:2] + pd.Timedelta("10h")}
    )
    encoded = np.split(np.concatenate([normal[:4], encoder.transform(others)]), [2, 4], axis=1)
    shares = [
        [words.share(part) for part in parts]
        for words, parts in zip(words_of(encoder, normal), encoded, strict=True)
    ]
    assert shares == [
        [0.25, 0.5, 0.5, 0.25, 0.0, 0.0],
        [0.25, 0.75, 0.75, 0.75, 0.0, 0.25],
        [0.5, 0.5, 0.25, 0.25, 0.0, 0.0],
    ]


def test_the_range_of_normal_rows_is_that_of_their_values() -> None:
    """A missing number is encoded as the median."""
    table = pd.DataFrame({"discount": [*np.linspace(10, 90, 41), *[np.nan] * 959]})
    encoder = TableEncoder(scaling="minmax", keep=["discount"])
    encoded = encoder.fit_transform(table)
    (words,) = words_of(encoder, encoded)
    assert words.usual(encoded[5]) == "normal rows: 10 to 90, 0.6% as low or lower"
    assert words.usual(encoded[20]) == "normal rows: 10 to 90, 2.1% as high or higher"
    assert words.usual(encoded[-1]) == "96% of normal rows"
    (words,) = words_of(encoder, encoded[41:])
    assert words.usual(encoded[5]) == "no normal row has a value"


def test_a_truth_is_told_by_its_share_of_normal_rows() -> None:
    encoder = TableEncoder()
    encoded = encoder.fit_transform(pd.DataFrame({"vip": pd.array([True] * 6 + [False] + [None], "boolean")}))
    (words,) = words_of(encoder, encoded)
    assert [words.usual(encoded[place]) for place in (0, 6, 7)] == [
        "75% of normal rows",
        "12% of normal rows",
        "12% of normal rows",
    ]


def test_whole_numbers_stay_whole_beside_very_large_ones() -> None:
    encoder = TableEncoder(scaling="minmax")
    encoded = encoder.fit_transform(
        pd.DataFrame({"balance": [-1_000_000, 3, 2_000_000], "kb": [0.5, 7, 2.25]})
    )
    balance, kb = words_of(encoder, encoded)
    assert [balance.of(row[:1]) for row in encoded] == ["-1,000,000", "3", "2,000,000"]
    assert [kb.of(row[1:]) for row in encoded] == ["0.5", "7", "2.25"]


def test_rows_are_compared_with_similar_and_with_representative_normal_rows(explained: Any) -> None:
    detector, table, _ = explained
    scored = detector.scored_encoded()
    encoded = scored.encoder.transform(table[:30])
    references = TableExplainer(scored).references(encoded)
    assert references.shape == (30, 10, encoded.shape[1])
    normal = {row.tobytes() for row in scored.normal}
    assert all(row.tobytes() in normal for row in references.reshape(300, -1))
    assert (references[:, 4:] == references[0, 4:]).all()
    assert len(np.unique(references[0, 4:], axis=0)) == 6
    likeness = Likeness(scored.normal, TableExplainer(scored).places)
    distances = np.abs(
        likeness.ranks(references.reshape(300, -1)).reshape(references.shape)
        - likeness.ranks(encoded)[:, None]
    ).sum(axis=2)
    assert (distances[:, 0] <= distances[:, 4:].min(axis=1)).all()
    assert (distances[:, 3] <= distances[:, 4:].max(axis=1)).all()
    assert (scored.score(references.reshape(300, -1)) <= scored.threshold).all()


def test_rows_of_wide_tables_are_compared_with_fewer_normal_rows(
    explained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, table, _ = explained
    scored = detector.scored_encoded()
    encoded, columns = scored.encoder.transform(table[:30]), len(TableExplainer(scored).names)
    for compared, representative_rows in ((5, 3), (1, 0)):
        monkeypatch.setattr("alarmnet.explain.tables.CHANGES", compared * columns)
        references = TableExplainer(scored).references(encoded)
        assert references.shape == (30, 2 + representative_rows, encoded.shape[1])
        assert (references[:, 2:] == references[0, 2:]).all()
        found = detector.explain(table[:30])
        np.testing.assert_allclose(found.values.sum(axis=1), found.logits - found.base_value)


def test_arrays_are_as_shap_has_them(explained: Any) -> None:
    detector, table, found = explained
    assert found.values.shape == found.data.shape == (400, 8)
    assert len(found) == len(found.rows) == 400
    assert found.names == tuple(table.columns)
    np.testing.assert_allclose(found.values.sum(axis=1), found.logits - found.base_value, atol=1e-4)
    np.testing.assert_array_equal(found.logits, detector.logits(table))
    assert found.data[3, 0] == table.loc[3, "Bytes out"]
    assert (found.values[:, found.names.index("always")] == 0).all()
    json.dumps([row.to_dict() for row in found.rows], allow_nan=False)


def test_the_same_answer_twice_in_any_batch_and_from_any_frame(explained: Any) -> None:
    detector, table, found = explained
    some = detector.explain(table, rows=[5, 3], columns=2)
    np.testing.assert_array_equal(some.values, found.values[[5, 3]])
    assert [row.row for row in some.rows] == [5, 3]
    assert all(len(row.reasons) <= 2 for row in some.rows)
    assert (
        some.rows[0].sentence
        == detector.explain(table[table.columns[::-1]], rows=[5], columns=2).rows[0].sentence
    )
    arrow = pa.Table.from_pandas(table[["Bytes out", "service", "amount", "start", "flag", "always", "gap"]])
    assert detector.explain(table).rows == found.rows
    assert pl.from_arrow(arrow).shape == (400, 7)


def test_a_counterfactual_stops_the_alarm_and_similar_normal_rows_raise_none(explained: Any) -> None:
    _, _, found = explained
    for row in found.rows:
        assert (row.counterfactual is not None) == row.alarm == (row.score > 0)
        assert row.reference <= 0


def test_many_columns_that_raise_a_score_are_all_reset(small: Any) -> None:
    X = np.random.default_rng(0).normal(size=(200, 12))
    X[:20] += 4
    detector = small().fit(X, np.repeat([1.0, 0.0], [20, 180]))
    highest = detector.explain(X[:20]).rows
    assert max(len(row.counterfactual.changes) for row in highest if row.counterfactual) > 4
    assert all(row.counterfactual.score <= 0 for row in highest if row.counterfactual)
    everything = copy.copy(detector)
    everything.threshold_ = -1e9
    found = everything.explain(X[:20])
    assert all(row.alarm and row.counterfactual is None for row in found.rows)


@pytest.mark.parametrize(("rows", "columns"), [([400], 10), ([-1], 10), ([], 10), ([0], 0), ([0], 1.5)])
def test_rows_that_are_not_there_are_refused(explained: Any, rows: list[int], columns: int) -> None:
    detector, table, _ = explained
    with pytest.raises(InputError, match=r"there is no row|leaves nothing to explain|'columns' parameter"):
        detector.explain(table, rows=rows, columns=columns)


def test_rows_with_the_same_reasons_are_one_pattern(explained: Any) -> None:
    _, _, found = explained
    patterns = patterns_of(found)
    assert sorted(place for pattern in patterns for place in pattern.places) == list(range(400))
    assert patterns[0].columns == ("Bytes out",)
    assert set(range(11)) <= set(patterns[0].places)
    assert found.logits[patterns[0].places[0]] == found.logits.max()


def test_importance_has_intervals_and_finds_the_column(explained: Any) -> None:
    detector, table, _ = explained
    importance = global_importance(detector, table[:11])
    assert importance[0].column == "Bytes out"
    assert len(importance) == 8
    assert all(column.low <= column.value <= column.high for column in importance)
    assert importance == global_importance(detector, table[:11])
    for name, wrong in (("confidence", 1.0), ("rows", 0), ("seed", None)):
        with pytest.raises(InputError, match=f"'{name}' parameter of global_importance"):
            global_importance(detector, table, **{name: wrong})  # type: ignore[arg-type]


def test_any_container_of_rows_is_explained(small: Any, rows: Any, labels: Any) -> None:
    detector = small().fit(rows, labels)
    expected = detector.explain(rows, rows=[3, 195]).values
    for sparse in (scipy.sparse.coo_matrix, scipy.sparse.bsr_matrix):
        np.testing.assert_array_equal(detector.explain(sparse(rows), rows=[3, 195]).values, expected)
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in rows.T], names=[*"abcde"])
    frame = pa.Table.from_batches([batch])
    named = small().fit(frame, labels)
    np.testing.assert_array_equal(
        named.explain(batch, rows=[195]).values, named.explain(frame, rows=[195]).values
    )
    assert global_importance(detector, scipy.sparse.coo_matrix(rows)) == global_importance(detector, rows)


def test_every_detector_explains_tables(trained: Any, rows: Any) -> None:
    found = trained.explain(rows, rows=range(190, 200))
    np.testing.assert_allclose(found.values.sum(axis=1), found.logits - found.base_value, atol=1e-4)
    assert found.names == ("x0", "x1", "x2", "x3", "x4")
    names = trained._alarm_names()
    odds = trained.scored_encoded().odds(trained.encoder_.transform(rows))
    assert odds.shape == (200, len(names))
    np.testing.assert_allclose(np.logaddexp.reduce(odds, axis=1), trained.logits(rows), rtol=1e-4, atol=1e-4)
    assert {row.spoke for row in found.rows} <= set(names)


def test_known_anomalies_are_kept_in_files_and_files_without_them_say_so(
    trained: Any, rows: Any, tmp_path: Any
) -> None:
    trained.save(tmp_path / "a.model")
    again = load(tmp_path / "a.model")
    found = trained.explain(rows, rows=[195])
    assert again.explain(rows, rows=[195]).rows == found.rows
    assert found.rows[0].known[0].row in range(190, 200)
    older = copy.deepcopy(again)
    older._known_matrix = older._known_numbers = None
    older.save(tmp_path / "b.model")
    assert load(tmp_path / "b.model").explain(rows, rows=[195]).rows[0].known is None


def test_at_most_64_known_anomalies_are_kept(small: Any) -> None:
    X = np.random.default_rng(0).normal(size=(400, 3))
    y = np.repeat([1.0, 0.0], [200, 200])
    detector = small().fit(X, y)
    assert len(detector._known_matrix) == 50
    assert detector._known_numbers.tolist() == list(range(0, 200, 4))
    detector.refit_alarm(X, np.repeat([1.0, 0.0], [3, 397]))
    assert detector._known_numbers.tolist() == [0, 1, 2]
    assert len(small().fit(X, None)._known_matrix) == 0


def test_a_difference_that_is_spread_over_many_columns_is_said() -> None:
    reason = Reason(column="x1", value="2", normal="normal rows: 0 to 1", contribution=0.9)
    said = partial(sentence, reference=1.0, reasons=[reason], groups=[], counterfactual=None, known=None)
    assert "scores 24.0 more than normal rows, through many columns; the largest part is 0.9 from x1" in said(
        score=25.0
    )
    assert "like that of normal rows" in said(score=1.5, reasons=[])


def test_rows_are_numbers_or_a_mask() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 3))
    detector = A3Detector(alarm_rate=0.1, random_state=0).fit(rows)
    mask = np.arange(80) == 7
    np.testing.assert_array_equal(detector.explain(rows, mask).values, detector.explain(rows, [7]).values)
    refused: list[Any] = [[1.9], mask[:5]]
    for wrong in refused:
        with pytest.raises(InputError, match="row numbers; give integers from 0 to 79"):
            detector.explain(rows, wrong)
