"""A few rows of the papers' tables in one small table, for the README."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from experiments import results
from experiments.comparison import published
from experiments.tables import load_table

PAPERS = "the paper's"


@dataclass(frozen=True)
class Short:
    """Which rows stand side by side, and which methods one below the other.

    Attributes
    ----------
    heading, metric
        What is measured, in words and as results name it.
    known
        Known anomalies; None is all of them.
    rows
        Heading, table and row of each column.
    methods
        What each line is called, and its method; a column of the paper, after `PAPERS`.
    """

    heading: str
    metric: str
    known: int | None
    rows: Sequence[tuple[str, str, str]]
    methods: dict[str, str]


A3 = Short(
    heading="average precision",
    metric="average_precision",
    known=100,
    rows=[
        *((f"NSL-KDD {row}", "a3-table-3", row) for row in ("1c", "2c", "1d", "2d")),
        ("credit card 1g", "a3-table-3", "1g"),
    ],
    methods={
        "A3, published": f"{PAPERS} A3",
        "`A3Detector.as_published()`": "published",
        "`A3Detector()`": "defaults",
        "DevNet": "devnet",
        "random forest": "random_forest",
        "gradient boosting": "gradient_boosting",
        "isolation forest, no labels": "isolation_forest",
    },
)
CONV_A3 = Short(
    heading="ROC AUC",
    metric="roc_auc",
    known=None,
    rows=[
        *(
            (row.replace("-", " "), "conv-a3-table-2", row)
            for row in ("thyroid", "bank", "census", "celeba", "credit-card")
        ),
        ("MNIST 8", "conv-a3-table-1", "mnist-8"),
        ("Fashion-MNIST 6", "conv-a3-table-1", "fashion-mnist-6"),
        ("CIFAR-10 airplane", "conv-a3-table-1", "cifar10-airplane"),
    ],
    methods={
        "E2E-ConvA3, published": f"{PAPERS} gamma 10",
        "`ConvA3Detector.as_published(alarm_weight=10)`": "gamma_10",
        "NN classifier": "neural_classifier",
        "gradient boosting": "gradient_boosting",
    },
)


def _cell(short: Short, method: str, table_name: str, row_name: str) -> str:
    table = load_table(table_name)
    if method.startswith(PAPERS):
        column = method.removeprefix(f"{PAPERS} ")
        return published(table, table.rows[row_name], column)[table.metrics.index(short.metric)]
    values = [
        result["metrics"][row_name][short.metric]
        for result in results.read(table_name)
        if result["method"] == method and result["known"] == short.known and row_name in result["metrics"]
    ]
    if not values:
        return ""
    spread = f"±{stdev(values):.3f}" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread} ({len(values)})"


def in_short(short: Short) -> Iterator[str]:
    """A line a method: mean, standard deviation and number of seeds."""
    yield f"| {short.heading} | {' | '.join(heading for heading, *_ in short.rows)} |"
    yield "|---" * (1 + len(short.rows)) + "|"
    for name, method in short.methods.items():
        yield f"| {name} | {' | '.join(_cell(short, method, *place) for _, *place in short.rows)} |"
