"""The false-alarm rate of a model that learns the answers of triage: by `refit`, and by a new `fit`.

    python -m benchmarks.after_triage --out benchmarks/results/after_triage.jsonl [--seeds 0 1 2]
    python -m benchmarks.after_triage --out benchmarks/results/after_triage.jsonl --table

A seed draws rows of each table's test half as `benchmarks.loop` does. As on the triage page, the queue shows nine
rows and a tenth that is drawn at random from all, and learns from the answers; this is done 20 times. Then the
answers are learned: by the queue's detector (`refit`), by a new detector that gets every answer as a label (`fit`),
and by a new detector that gets the anomalies only (`fit, anomalies only`). Alarms are counted on normal rows of the
test half that were not drawn. Finished runs are not repeated.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance

from alarmnet import A3Detector
from alarmnet.detectors import BaseDetector
from alarmnet.loop import AtRandom, Queue
from benchmarks.arguments import parser_for
from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import NORMAL_ROWS
from benchmarks.label_noise import runs

NAMES = ("bank", "census", "credit card", "nsl-kdd")
ROUNDS, BATCH = 20, 10
RATES = (0.01, 0.05)
MEASURED = 20_000
"""The most normal rows, and the most anomalies, that alarms are counted on."""
WAYS = {"refit": "`refit`", "fit": "`fit`", "fit, anomalies only": "`fit`, anomalies only"}


def reviewed(queue: Queue, anomalous: np.ndarray) -> np.ndarray:
    """Answer the rows that the triage page would show; give the labels (N,)."""
    for _ in range(ROUNDS):
        drawn: list[Any] = queue.next(strategy=AtRandom())
        for row in [*queue.next(BATCH - 1, skip=drawn), *drawn]:
            queue.answer(row, "anomaly" if anomalous[row] else "normal")
        queue.refit()
    return queue.labels()


def run(name: str, seed: int) -> dict[str, Any]:
    """One table and seed."""
    halves, generator = TABLES[name](), np.random.default_rng(seed)
    normal = generator.permutation(halves.test[~halves.anomalous[halves.test]])
    strange = generator.permutation(halves.test[halves.anomalous[halves.test]])
    usual, others = np.split(normal, [NORMAL_ROWS])
    odd, unseen = np.split(strange, [NORMAL_ROWS // 10])
    chosen = generator.permutation(np.concatenate([usual, odd]))
    rows, fresh = halves.frame.take(chosen), halves.frame.take(others[:MEASURED])
    queue = Queue(rows, random_state=seed)
    labels = reviewed(queue, halves.anomalous[chosen])
    queue.refit_detector()
    ways: dict[str, BaseDetector] = {
        "refit": queue.detector_,
        "fit": A3Detector(random_state=seed).fit(rows, labels),
        "fit, anomalies only": A3Detector(random_state=seed).fit(rows, np.where(labels == 1, 1.0, np.nan)),
    }
    hidden = halves.frame.take(unseen[:MEASURED]) if len(unseen) else None
    found: dict[str, Any] = {}
    for way, detector in ways.items():
        logits = detector.logits(fresh)
        odd_logits = np.empty(0) if hidden is None else detector.logits(hidden)
        found[way] = {"calibration_rows": len(detector.calibration_scores_)}
        for rate in RATES:
            detector.set_alarm_rate(rate)
            found[way][str(rate)] = {
                "false": float((logits > detector.threshold_).mean()),
                "found": float((odd_logits > detector.threshold_).mean()) if len(odd_logits) else None,
            }
    answers = {"anomaly": int((labels == 1).sum()), "normal": int((labels == 0).sum())}
    return {"table": name, "seed": seed, "answers": answers, "found": found, **provenance()}


def table(path: Path) -> Iterator[str]:
    """The observed rates of each way to learn."""
    done = runs(path)
    columns = [f"false alarms at {rate:g}" for rate in RATES] + [f"anomalies found at {RATES[0]:g}"]
    yield f"| learned by | calibration rows | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 2) + "|"
    for way, shown in WAYS.items():
        found = [one["found"][way] for one in done]
        rows = [one["calibration_rows"] for one in found]
        cells = []
        for rate in RATES:
            by_table = [
                float(
                    np.mean([one["found"][way][str(rate)]["false"] for one in done if one["table"] == name])
                )
                for name in NAMES
            ]
            cells.append(f"{np.mean(by_table):.2%} ({min(by_table):.2%} to {max(by_table):.2%})")
        share = [one[str(RATES[0])]["found"] for one in found]
        cells.append(f"{np.mean([one for one in share if one is not None]):.0%}")
        yield f"| {shown} | {min(rows)} to {max(rows)} | {' | '.join(cells)} |"


def main() -> None:
    """Run the draws that are missing, or print the table."""
    parser = parser_for(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    if options.table:
        print("\n".join(table(options.out)))
        return
    known = {(one["table"], one["seed"]) for one in runs(options.out)}
    for seed in options.seeds:
        for name in NAMES:
            if (name, seed) not in known:
                with options.out.open("a") as stream:
                    stream.write(json.dumps(run(name, seed)) + "\n")


if __name__ == "__main__":
    main()
