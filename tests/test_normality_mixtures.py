"""Mixtures of two rows score as rows do, whatever the forest, and far from normal rows as on them."""

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from alarmnet import A3Detector, Schedule
from alarmnet.explain.mixtures import mixtures_of
from alarmnet.explain.tables import TableExplainer

SHORT = Schedule(steps=30, batch_size=64, learning_rate=1e-2)
KNOWN = {"boosted trees": 20, "extremely randomised trees": 4, "no known anomalies": 0}


@pytest.fixture(scope="module", params=KNOWN)
def fitted(request: Any) -> tuple[Any, np.ndarray]:
    """A detector of 70 columns, more than a word has bits, and its table; two columns hold names."""
    generator = np.random.default_rng(0)
    table = generator.normal(size=(400, 70)).astype(object)
    table[:, 5] = generator.choice(["tcp", "udp", "icmp"], 400)
    table[:, 68] = generator.choice(["a", "b"], 400)
    known = KNOWN[request.param]
    table[:20, [0, 3, 66]] += 4.0
    table[0, 3] = 1e7
    labels = np.repeat([1.0, 0.0], [known, 400 - known])
    detector = A3Detector(random_state=0, alarm_rate=0.1, target_schedule=SHORT, alarm_schedule=SHORT)
    return detector.fit(table, labels), table


def test_mixtures_score_as_rows_do(fitted: Any) -> None:
    detector, table = fitted
    scored = detector.scored_encoded()
    places = TableExplainer(scored).places
    generator = np.random.default_rng(1)
    encoded = scored.encoder.transform(table)
    rows, references = encoded[np.arange(100)], encoded[np.arange(300, 400)]
    references[:10] = rows[:10]
    references[:10, :3] += 1
    numbers = np.repeat(np.arange(100), 7)
    masks = generator.random((700, 70)) < generator.choice([0.02, 0.5, 0.98], (700, 1))
    masks[::7], masks[1::7] = False, True
    found = scored.mix(rows, references, places)(numbers, masks)
    mixtures = mixtures_of(rows, references, places, numbers, masks)
    np.testing.assert_allclose(found, scored.score(mixtures), rtol=1e-4, atol=1e-4)


def test_explanations_are_the_same_by_mixtures_and_by_rows(fitted: Any) -> None:
    detector, table = fitted
    scored = detector.scored_encoded()
    encoded = scored.encoder.transform(table[:6])
    fast = TableExplainer(scored).values(encoded)[0]
    slow = TableExplainer(dataclasses.replace(scored, mix=None)).values(encoded)[0]
    apart = np.abs(fast - slow)
    # a mixture within rounding of a tree's cut may take another leaf
    assert np.mean(apart > 1e-4) < 0.03
    assert apart.max() < 0.01
    np.testing.assert_array_equal(TableExplainer(scored).values(encoded[3:5])[0], fast[3:5])


@pytest.mark.parametrize("fast", [True, False])
def test_networks_go_on_from_their_first_layer(fitted: Any, fast: bool, monkeypatch: Any) -> None:
    detector, table = fitted
    if not fast:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    scorer = detector._scorer
    inputs = scorer.target.inputs(torch.from_numpy(detector.encoder_.transform(table[:9])))
    target = scorer.target.network
    goes_on = [(target.first, partial(target.row_losses, inputs), target.row_losses(inputs))]
    goes_on += [(alarm.first, alarm.after_first, alarm(inputs)) for alarm in scorer.alarms]
    for layer, on, expected in goes_on:
        first = functional.linear(inputs, layer.weight, layer.bias)
        kept = first.clone()
        torch.testing.assert_close(on(first), expected)
        assert torch.equal(first, kept)


def test_other_detectors_score_mixtures_as_rows(small: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    assert small().fit(rows).scored_encoded().mix is None


def test_what_mixtures_score_does_not_depend_on_others() -> None:
    rows = np.random.default_rng(0).normal(size=(1_500, 13))
    rows[:40] *= 1.8
    detector = A3Detector(random_state=0, target_schedule=SHORT, alarm_schedule=SHORT)
    detector.fit(rows, (np.arange(1_500) < 40).astype(float))
    together = detector.explain(rows, rows=range(60)).values
    for row in range(0, 60, 5):
        np.testing.assert_array_equal(detector.explain(rows, rows=[row]).values[0], together[row])
