"""The effect of column encodings, which the E2E-ConvA3 paper does not name, on an isolation forest's ROC AUC.

python -m experiments.forest_encodings conv-a3-table-2 bank --seeds 0 1 2 --out experiments/results/forest_bank.json
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OrdinalEncoder

from alarmnet import TableEncoder
from experiments.comparison import mean_with_deviation
from experiments.data import rows_of
from experiments.provenance import provenance
from experiments.tables import NAMES, load_table

Encoded = tuple[np.ndarray, np.ndarray]


def ours(train: Any, test: Any) -> Encoded:
    """Texts one-hot, numbers as quantiles of a normal distribution."""
    encoder = TableEncoder(scaling="quantile-normal").fit(train)
    return encoder.transform(train), encoder.transform(test)


def one_hot(train: Any, test: Any) -> Encoded:
    """Texts one-hot, numbers as they are: a forest does not mind how they are scaled."""
    both = pd.get_dummies(pd.concat([train.to_pandas(), test.to_pandas()])).to_numpy(float)
    return both[: len(train)], both[len(train) :]


def ordinal(train: Any, test: Any) -> Encoded:
    """A number for each text, numbers as they are."""
    frames = train.to_pandas(), test.to_pandas()
    texts = frames[0].select_dtypes(exclude="number").columns
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(frames[0][texts])
    coded = (
        frame.assign(**dict(zip(texts, encoder.transform(frame[texts]).T, strict=True))) for frame in frames
    )
    learned, judged = (frame.to_numpy(float) for frame in coded)
    return learned, judged


def numbers_alone(train: Any, test: Any) -> Encoded:
    """Numbers as they are, without texts."""
    learned, judged = (part.to_pandas().select_dtypes("number").to_numpy(float) for part in (train, test))
    return learned, judged


ENCODINGS: dict[str, Callable[[Any, Any], Encoded]] = {
    "one-hot, quantiles as of a normal distribution (ours)": ours,
    "one-hot, numbers as they are": one_hot,
    "a number for each text": ordinal,
    "numbers alone": numbers_alone,
}
TRAINED_ON = ("normal rows", "all rows")


def found(table_name: str, row_name: str, seeds: list[int]) -> dict[str, Any]:
    """ROC AUCs by encoding and by training rows, folded as in the paper: max(x, 1 - x)."""
    table = load_table(table_name)
    values: dict[str, dict[str, list[float]]] = {name: {on: [] for on in TRAINED_ON} for name in ENCODINGS}
    for seed in seeds:
        rows = rows_of(table, table.rows[row_name], known=None, seed=seed)
        test = rows.test[row_name]
        for name, encode in ENCODINGS.items():
            learned, judged = encode(rows.train.X, test.X)
            for on, chosen in zip(TRAINED_ON, (rows.train.y == 0, slice(None)), strict=True):
                forest = IsolationForest(random_state=seed).fit(learned[chosen])
                area = roc_auc_score(test.y, -forest.score_samples(judged))
                values[name][on].append(round(float(max(area, 1 - area)), 4))
    return {"table": table_name, "row": row_name, "seeds": seeds, "roc_auc": values, **provenance()}


def summary(path: Path) -> Iterator[str]:
    """A line for each encoding."""
    stored = json.loads(path.read_text())
    yield f"| isolation forest on {stored['row']}, ROC AUC | {' | '.join(f'on {on}' for on in TRAINED_ON)} |"
    yield "|---" * (1 + len(TRAINED_ON)) + "|"
    for name, values in stored["roc_auc"].items():
        cells = (mean_with_deviation(values[on], 3) for on in TRAINED_ON)
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Try each encoding, then write and print the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=NAMES)
    parser.add_argument("row")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    result = found(arguments.table, arguments.row, arguments.seeds)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(summary(arguments.out)))


if __name__ == "__main__":
    main()
