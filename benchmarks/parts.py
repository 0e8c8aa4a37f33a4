"""What each part of the default score for tables brings: scores without it.

    KEEL_DATA=FOLDER python -m benchmarks.parts --out benchmarks/results/parts.jsonl
    python -m benchmarks.parts --out benchmarks/results/parts.jsonl --table

Draws are those of `many_tables`, by default of its tables to report. A draw is fitted once, and scored without one
part after the other; nothing else changes. What is there is not run again.
"""

import argparse
import itertools
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments.data import as_they_stand
from experiments.provenance import provenance
from sklearn.metrics import average_precision_score
from torch import Tensor

from alarmnet import A3Detector, AlarmnetWarning
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.sources.comparison import keep_columns
from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import Draw
from benchmarks.keel_tables import KEEL_TABLES
from benchmarks.many_tables import KNOWN, REPORT, STATES, draw

WHOLE = "nothing"
Cell = tuple[str, int, str, int]
"""Table, known anomalies, state and seed."""


def _none(values: Tensor, *columns: int) -> Tensor:
    return values.index_fill(1, torch.tensor(columns), 0)


def without(scorer: NormalityScorer, rows: Tensor) -> dict[str, Tensor]:
    """Scores of rows by the part that is left out."""
    read = scorer.read(rows)
    near = scorer.nearness(rows, read[:, 0])
    votes = scorer.votes(rows)
    if not scorer.alarms:
        odds = scorer.combined(near, votes, read[:, 1:])
        left_out = {
            f"the {name}": odds[:, [place != other for other in range(odds.shape[1])]]
            for place, name in enumerate(scorer.names)
        }
    else:
        taught, odds_of = read[:, 1:], scorer.combined
        odds = odds_of(near, votes, taught)
        randomised, boosted = (forest(rows) for forest in scorer.forests)
        left_out = {
            "the randomised trees": odds_of(near, boosted, taught),
            "the boosted trees": odds_of(near, randomised, taught),
            "the trees on principal directions": odds_of(near, votes, _none(taught, 1)),
            "the networks on inputs": odds_of(near, votes, _none(taught, 0)),
            "the distances to neighbours": odds_of(_none(near, 0, 1), votes, taught),
            "the target's reconstruction error": odds_of(_none(near, 2), votes, taught),
            "the odds of distance": odds[:, :1],
        }
    return {WHOLE: odds.logsumexp(1)} | {name: left.logsumexp(1) for name, left in left_out.items()}


def measured(data: Draw, seed: int) -> dict[str, float]:
    """Average precision by the part that is left out."""
    detector = A3Detector(random_state=seed)
    keep_columns(detector, as_they_stand(data.X))
    detector.fit(data.X, None if np.isnan(data.y).all() else data.y)
    assert isinstance(detector._scorer, NormalityScorer)
    rows = torch.from_numpy(detector.encoder_.transform(data.judged).astype(np.float32))
    with torch.no_grad():
        scores = without(detector._scorer, rows)
    return {
        name: round(float(average_precision_score(data.anomalous, score.numpy())), 5)
        for name, score in scores.items()
    }


def finished(path: Path) -> dict[Cell, dict[str, Any]]:
    """Results by cell."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {(run["table"], run["known"], run["state"], run["seed"]): run for run in map(json.loads, lines)}


def table(path: Path) -> Iterator[str]:
    """What leaving a part out changes in mean AP, by regime."""
    regimes: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for (_, known, state, _), run in finished(path).items():
        regimes[state, known].append(run["ap"])
    labelled = [(state, known) for known, state in itertools.product(KNOWN, STATES) if known]
    for columns in ([(state, 0) for state in STATES], labelled):
        titles = [f"{known or 'none'} known, {state}" for state, known in columns]
        yield f"| left out | {' | '.join(titles)} |"
        yield "|---" * (1 + len(columns)) + "|"
        names = list(dict.fromkeys(name for column in columns for run in regimes[column] for name in run))
        whole = [float(np.mean([run[WHOLE] for run in regimes[column]])) for column in columns]
        yield f"| {WHOLE}: mean AP | {' | '.join(f'{value:.3f}' for value in whole)} |"
        for name in names:
            if name != WHOLE:
                found = (
                    [run[name] - run[WHOLE] for run in regimes[column] if name in run] for column in columns
                )
                yield f"| {name} | {' | '.join(f'{np.mean(all_):+.3f}' if all_ else '' for all_ in found)} |"
        yield ""


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=REPORT)
    parser.add_argument("--known", nargs="+", type=int, default=KNOWN)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    done = finished(arguments.out)
    cells = itertools.product(arguments.tables, arguments.known, STATES, arguments.seeds)
    missing = [cell for cell in cells if cell not in done]
    begun = time.perf_counter()
    for place, (name, known, state, seed) in enumerate(missing, start=1):
        halves = (KEEL_TABLES | TABLES)[name]()
        found = measured(draw(halves, known=known, state=state, seed=seed), seed)
        cell = {"table": name, "known": known, "state": state, "seed": seed}
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(cell | {"ap": found} | provenance()) + "\n")
        left = (time.perf_counter() - begun) / place * (len(missing) - place)
        print(name, known, state, seed, f"{place} of {len(missing)}, {left:.0f} s to go", flush=True)


if __name__ == "__main__":
    main()
