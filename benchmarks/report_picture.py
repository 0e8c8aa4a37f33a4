"""The picture of a report in the README: card payments with 25 known frauds.

    python -m benchmarks.report_picture --out docs/pictures/report.png

The detector learns from 20,000 normal rows and 25 frauds of the development half of the credit card table
(`few_label_tables`); the report is on 20,000 rows of the test half. All rows are drawn at random. The table is in
the order of time, and the false-alarm rate does not hold for its first rows alone. Debian's chromium takes the
picture.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from alarmnet import A3Detector, make_report
from benchmarks.few_label_tables import TABLES

ROWS, FRAUDS = 20_000, 25
CHROMIUM = ("chromium", "--headless", "--no-sandbox", "--hide-scrollbars", "--disable-background-networking")


def main() -> None:
    """Fit, report and take the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out.resolve()
    halves = TABLES["credit card"]()
    generator, learned = np.random.default_rng(0), halves.development
    normal = generator.permutation(learned[~halves.anomalous[learned]])[:ROWS]
    frauds = generator.permutation(learned[halves.anomalous[learned]])[:FRAUDS]
    rows = np.concatenate([normal, frauds])
    detector = A3Detector(random_state=0).fit(halves.frame.take(rows), halves.anomalous[rows])
    judged = generator.permutation(halves.test)[:ROWS]
    report = make_report(
        detector,
        halves.frame.take(judged),
        halves.anomalous[judged],
        ids=[f"payment {row}" for row in judged],
        data_name="Card payments",
    )
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        report.save(page)
        print(report.facts["observed"], report.facts["evaluation"]["recall"])
        subprocess.run(
            [*CHROMIUM, f"--screenshot={out}", "--window-size=1200,1000", page.as_uri()], check=True
        )


if __name__ == "__main__":
    main()
