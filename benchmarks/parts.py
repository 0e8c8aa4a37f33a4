"""The effect of each part of the default score for tables: scores without this part.

    KEEL_DATA=FOLDER python -m benchmarks.parts --out benchmarks/results/parts.jsonl
    python -m benchmarks.parts --out benchmarks/results/parts.jsonl --table

The draws are those of `many_tables`, by default of its tables for reporting (`--part`). Each draw is fitted once,
and scored without one part after the other. Without a part of what the joint forest reads, this forest is boosted
anew.
Finished runs are not repeated.
"""

import itertools
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments.data import as_they_stand
from experiments.provenance import provenance
from sklearn.metrics import average_precision_score
from torch import Tensor

from alarmnet import A3Detector, AlarmnetWarning
from alarmnet.detectors.likeness_scorer import BEYOND, BOTH, FAR, FORESTS, MOST_UNLIKE, LikenessScorer
from alarmnet.detectors.normality import EXTREME, SHALLOW
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.networks.contrast import MEASURES
from alarmnet.networks.symmetric_trees import boosted_symmetric
from alarmnet.sources.comparison import keep_columns
from benchmarks.arguments import parser_for
from benchmarks.few_labels import Draw
from benchmarks.many_tables import KNOWN, PARTS, REPORT, STATES, draw, halves_of

WHOLE = "nothing"
Cell = tuple[str, int, str, int]
"""Table, known anomalies, state and seed."""


def without_label(scorer: NormalityScorer, rows: Tensor) -> dict[str, Tensor]:
    """Scores of rows by the measure that is left out."""
    odds = scorer.odds(rows)
    left_out = {
        f"the {name}": odds[:, [place != other for other in range(odds.shape[1])]]
        for place, name in enumerate(scorer.names)
    }
    return {name: left.logsumexp(1) for name, left in ({WHOLE: odds} | left_out).items()}


def with_labels(scorer: LikenessScorer, rows: Tensor, known: Tensor, seed: int) -> dict[str, Tensor]:
    """Scores of rows by the part that is left out; a joint forest that reads less is boosted anew."""
    distances, votes, read = scorer.nearness.distances(rows), scorer.votes(rows), scorer.read(rows)
    odds, near = scorer.odds(rows), scorer.nearness.measured(distances)
    like, far = odds[:, 0], odds[:, 1]
    count = len(scorer.forests)
    each, joint = FORESTS[count]
    assert scorer.kernel is not None
    assert scorer.quadratic is not None
    joined = scorer.joined(near, read)
    kernel = BOTH * scorer.kernel(scorer.nearness.scaled(rows))
    quadratic = BOTH * scorer.quadratic(*scorer.measured(joined))
    without = {  # the others take over its weight
        f"the {name} trees": like + each * count / (count - 1) * (votes - forest(rows))
        for name, forest in zip(("randomised", "boosted", "symmetric"), scorer.forests, strict=True)
    }
    found = {
        WHOLE: like,
        **without,
        "the joint forest": like - joint * scorer.joint(joined),
        "the linear alarm": like - (read[:, 0] - kernel),
        "the kernel alarm": like - kernel,
        "the quadratic alarm": like - quadratic,
        "the distances in the sum": like - FAR * near[:, 1:].sum(1),
    }
    if scorer.contrast is not None:
        known = scorer.contrast.known  # in its order
    own, of_known = (
        (scorer.nearness.measured(far_off), scorer.read_of_learned(of, known=of is known))
        for far_off, of in (
            (scorer.nearness.own_distances(), scorer.nearness.as_they_were),
            (scorer.nearness.distances(known), known),
        )
    )
    learned = [scorer.joined(*own), scorer.joined(*of_known)]
    width, contrast = rows.shape[1], scorer.joint_width - scorer.measures
    measures = contrast + (0 if scorer.contrast is None else MEASURES)
    kinds = {
        "the directions in the joint forest": (width, contrast - 1),
        "the reconstruction error in the joint forest": (contrast - 1, contrast),
        "the contrast with known anomalies in the joint forest": (contrast, measures),
        "the distances and tails in the joint forest": (measures, scorer.joint_width),
    }
    for name, (start, end) in kinds.items():
        if start == end:
            continue
        places = torch.arange(scorer.joint_width)
        kept = places[(places < start) | (places >= end)]
        again = boosted_symmetric(*(of[:, kept] for of in learned), depths=SHALLOW, seed=seed)
        found[name] = like + joint * (again(joined[:, kept]) - scorer.joint(joined))

    def far_without(*places: int) -> Tensor:
        """The odds of distance without these numbers of `read`."""
        strange, usual = (scorer.strangeness(*of) - of[1][:, places].sum(1) for of in ((near, read), own))
        return (strange - usual.quantile(EXTREME) - BEYOND).clamp(max=MOST_UNLIKE) + scorer.raised

    activations, error = 1, contrast + 1
    no_error = found["the reconstruction error in the joint forest"]
    return {name: torch.logaddexp(value, far) for name, value in found.items()} | {
        "the odds of distance": like,
        "the activations in the odds of distance": torch.logaddexp(like, far_without(activations)),
        "the reconstruction error in the odds of distance": torch.logaddexp(like, far_without(error)),
        "all that the target says": torch.logaddexp(no_error, far_without(activations, error)),
    }


def measured(data: Draw, seed: int) -> dict[str, float]:
    """Average precision by the part that is left out."""
    detector = A3Detector(random_state=seed)
    keep_columns(detector, as_they_stand(data.X))
    detector.fit(data.X, None if np.isnan(data.y).all() else data.y)
    learned, rows = (
        torch.from_numpy(detector.encoder_.transform(table).astype(np.float32))
        for table in (data.X, data.judged)
    )
    scorer = detector._scorer
    with torch.no_grad():
        if isinstance(scorer, NormalityScorer):
            scores = without_label(scorer, rows)
        else:
            assert isinstance(scorer, LikenessScorer)
            scores = with_labels(scorer, rows, learned[torch.from_numpy(data.known == 1)], seed)
    return {
        name: round(float(average_precision_score(data.anomalous, score.numpy())), 5)
        for name, score in scores.items()
    }


def finished(path: Path) -> dict[Cell, dict[str, Any]]:
    """Results by `Cell`."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {(run["table"], run["known"], run["state"], run["seed"]): run for run in map(json.loads, lines)}


def table(path: Path, among: Collection[str] = REPORT) -> Iterator[str]:
    """The change in mean AP without each part, by regime, over some tables."""
    regimes: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for (name, known, state, _), run in finished(path).items():
        if name in among:
            regimes[state, known].append(run["ap"])
    labelled = [(state, known) for known, state in itertools.product(KNOWN, STATES) if known]
    for columns in ([(state, 0) for state in STATES], labelled):
        if not all(regimes[column] for column in columns):
            continue
        yield from effects(
            {f"{known or 'none'} known, {state}": regimes[state, known] for state, known in columns}
        )
        yield ""


def effects(columns: Mapping[str, list[dict[str, float]]]) -> Iterator[str]:
    """The change in mean AP without each part, over the runs of each column."""
    yield f"| left out | {' | '.join(columns)} |"
    yield "|---" * (1 + len(columns)) + "|"
    names = list(dict.fromkeys(name for runs in columns.values() for run in runs for name in run))
    whole = [float(np.mean([run[WHOLE] for run in runs])) for runs in columns.values()]
    yield f"| {WHOLE}: mean AP | {' | '.join(f'{value:.3f}' for value in whole)} |"
    for name in names:
        if name != WHOLE:
            found = ([run[name] - run[WHOLE] for run in runs if name in run] for runs in columns.values())
            yield f"| {name} | {' | '.join(f'{np.mean(all_):+.3f}' if all_ else '' for all_ in found)} |"


def main() -> None:
    """Run what is missing, or print the table."""
    parser = parser_for(__doc__)
    parser.add_argument("--part", choices=list(PARTS), default="report")
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--known", nargs="+", type=int, default=KNOWN)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    done = finished(arguments.out)
    tables = arguments.tables or PARTS[arguments.part]
    cells = itertools.product(tables, arguments.known, STATES, arguments.seeds)
    missing = [cell for cell in cells if cell not in done]
    begun = time.perf_counter()
    for place, (name, known, state, seed) in enumerate(missing, start=1):
        halves = halves_of(name, arguments.part)
        found = measured(draw(halves, known=known, state=state, seed=seed), seed)
        cell = {"table": name, "known": known, "state": state, "seed": seed}
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(cell | {"ap": found} | provenance()) + "\n")
        left = (time.perf_counter() - begun) / place * (len(missing) - place)
        print(name, known, state, seed, f"{place} of {len(missing)}, {left:.0f} s to go", flush=True)


if __name__ == "__main__":
    main()
