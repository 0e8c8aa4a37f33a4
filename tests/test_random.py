"""One seed, many streams, no global state."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from alarmnet import A3Detector, ExternalTarget, InputError, load
from alarmnet._shared.random_streams import numpy_generator, resolve_seed, torch_generator

Make = Callable[..., A3Detector]


def test_purposes_and_seeds_give_independent_streams() -> None:
    streams = np.array(
        [numpy_generator(seed, purpose).normal(size=2000) for seed in (0, 1) for purpose in ("a", "b")]
        + [
            torch.randn(2000, generator=torch_generator(seed, purpose)).numpy()
            for seed in (0, 1)
            for purpose in ("a", "b")
        ]
    )
    assert np.abs(np.corrcoef(streams) - np.eye(8)).max() < 0.1


def test_the_same_seed_and_purpose_give_the_same_stream() -> None:
    first, second = (numpy_generator(3, "rows").integers(1 << 60) for _ in range(2))
    assert first == second
    draws = [torch.rand(5, generator=torch_generator(3, "weights")) for _ in range(2)]
    assert torch.equal(*draws)


def test_a_generator_given_as_random_state_moves_on() -> None:
    for state in (np.random.default_rng(0), np.random.RandomState(0)):
        assert resolve_seed(state) != resolve_seed(state)
    assert resolve_seed(None) != resolve_seed(None)
    assert resolve_seed(np.int64(7)) == 7


@pytest.mark.parametrize("seed", [-1, "seven", 1.5])
def test_a_seed_that_is_none_is_refused(seed: Any, small: Make, rows: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match=r"The 'random_state' parameter of A3Detector must be"):
        small(random_state=seed).fit(rows)


def global_states() -> tuple[bytes, Any, bytes]:
    return np.random.get_state()[1].tobytes(), random.getstate(), torch.get_rng_state().numpy().tobytes()  # type: ignore[index]  # noqa: NPY002


def test_no_global_random_state_changes(
    small: Make, rows: NDArray[np.float64], labels: NDArray[np.float64], tmp_path: Path
) -> None:
    class Drawing(nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return batch + 0 * torch.randn_like(batch)

    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), Drawing(), nn.Linear(8, 2))
    module.train()
    target = ExternalTarget(module, layers=["1"])
    before = global_states()
    detector = small(target=target, generator=lambda batch: torch.rand_like(batch)).fit(rows, labels)
    detector.predict_proba(rows)
    detector.refit_alarm(rows, labels)
    detector.save(tmp_path / "external.model")
    load(tmp_path / "external.model", target=target).p_value(rows)
    small(random_state=None).fit(rows, labels).save(tmp_path / "dense.model")
    load(tmp_path / "dense.model").predict(rows)
    assert global_states() == before


def weights(detector: A3Detector) -> list[torch.Tensor]:
    return [*detector._scorer.parameters()]


def test_one_seed_gives_one_model_bit_for_bit(
    small: Make, rows: NDArray[np.float64], labels: NDArray[np.float64], fitted: A3Detector
) -> None:
    torch.manual_seed(99)
    again, other = (small(random_state=seed).fit(rows, labels) for seed in (0, 1))
    pairs = zip(again._scorer.state_dict().values(), fitted._scorer.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    np.testing.assert_array_equal(again.decision_scores_, fitted.decision_scores_)
    assert again.threshold_ == fitted.threshold_
    assert not any(map(torch.equal, weights(other), weights(fitted)))


def test_one_seed_gives_one_model_with_a_callable_generator_too(
    small: Make, rows: NDArray[np.float64]
) -> None:
    scores = {}
    for state in (1, 2):
        torch.manual_seed(state)
        scores[state] = small(generator=lambda batch: torch.rand_like(batch)).fit(rows).decision_scores_
    np.testing.assert_array_equal(scores[1], scores[2])
