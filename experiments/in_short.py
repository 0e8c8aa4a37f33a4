"""A few rows of the papers' tables in one small table, for the README."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments import results
from experiments.comparison import mean_with_deviation, published
from experiments.tables import load_table


@dataclass(frozen=True)
class Short:
    """The rows in the columns of a small table, and the methods in its lines.

    Attributes
    ----------
    heading, metric
        What is measured, in words and by its name in results.
    known
        The number of known anomalies; None for all.
    rows
        Heading, table and row of each column.
    paper
        The name of the line for the paper's method, and its column in the paper.
    methods
        Our methods by the names of their lines.
    """

    heading: str
    metric: str
    known: int | None
    rows: Sequence[tuple[str, str, str]]
    paper: tuple[str, str]
    methods: dict[str, str]


A3 = Short(
    heading="average precision",
    metric="average_precision",
    known=100,
    rows=[
        *((f"NSL-KDD {row}", "a3-table-3", row) for row in ("1c", "2c", "1d", "2d")),
        ("credit card 1g", "a3-table-3", "1g"),
    ],
    paper=("A3, published", "A3"),
    methods={
        "`A3Detector.as_published()`": "published",
        "`A3Detector()`": "defaults",
        '`A3Detector(reads="both")`': "reads_both",
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
    paper=("E2E-ConvA3, published", "gamma 10"),
    methods={
        "`ConvA3Detector.as_published(alarm_weight=10)`": "gamma_10",
        "`ConvA3Detector()`": "defaults",
        "`A3Detector()`": "a3",
        '`A3Detector(reads="both")`': "a3_reads_both",
        "NN classifier": "neural_classifier",
        "gradient boosting": "gradient_boosting",
    },
)


def _papers(short: Short, table_name: str, row_name: str) -> str:
    """The numbers that the paper prints."""
    table = load_table(table_name)
    return published(table, table.rows[row_name], short.paper[1])[table.metrics.index(short.metric)]


def _ours(short: Short, method: str, table_name: str, row_name: str) -> str:
    """Mean, standard deviation and number of seeds; nothing if nothing ran."""
    values = [
        result["metrics"][row_name][short.metric]
        for result in results.one_a_job(results.read(table_name))
        if result["method"] == method and result["known"] == short.known and row_name in result["metrics"]
    ]
    return f"{mean_with_deviation(values, 3)} ({len(values)})" if values else ""


def in_short(short: Short) -> Iterator[str]:
    """The paper's line, and one for each method."""
    places = [place for _, *place in short.rows]
    yield f"| {short.heading} | {' | '.join(heading for heading, *_ in short.rows)} |"
    yield "|---" * (1 + len(short.rows)) + "|"
    yield f"| {short.paper[0]} | {' | '.join(_papers(short, *place) for place in places)} |"
    for name, method in short.methods.items():
        yield f"| {name} | {' | '.join(_ours(short, method, *place) for place in places)} |"
