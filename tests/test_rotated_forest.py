"""Trees on the principal directions of normal rows."""

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from alarmnet.networks.forests import bootstrapped, grown
from alarmnet.networks.rotated_forest import RotatedForest
from alarmnet.networks.spread import Whitening


def test_few_known_anomalies_that_break_a_relation_teach_rotated_trees_more() -> None:
    generator = np.random.default_rng(0)
    along = generator.normal(size=(600, 1))
    normal = (along @ np.ones((1, 6)) + generator.normal(0, 0.1, (600, 6))).astype(np.float32)
    broken = normal[:50] + 0.5 * np.array([1, -1, 0, 0, 0, 0], dtype=np.float32)
    known, rows = broken[:4], torch.from_numpy(np.concatenate([normal[50:], broken[4:]]))
    whitening = Whitening(6)
    whitening.learn(torch.from_numpy(normal), 1.0)

    def forest_of(turned: torch.Tensor, few: torch.Tensor) -> torch.nn.Module:
        return grown(turned.numpy(), bootstrapped(few.numpy()), considered=["sqrt"], normal_rows=256, seed=0)

    white = [whitening.white(torch.from_numpy(part)) for part in (normal, known)]
    rotated = RotatedForest(whitening, forest_of(*white))  # type: ignore[arg-type]
    plain = forest_of(torch.from_numpy(normal), torch.from_numpy(known))
    anomalous = np.arange(len(rows)) >= 550
    by_directions, by_columns = (average_precision_score(anomalous, of(rows)) for of in (rotated, plain))
    assert by_directions > 0.9 > by_columns + 0.2
