"""What an installed alarmnet must do without the repository and the extras: `.ci/package` runs it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

import alarmnet

HERE = Path(__file__).parent
assert HERE in Path(alarmnet.__file__).parents, f"{alarmnet.__file__} is not the installed package"
assert all(getattr(alarmnet, name) for name in alarmnet.__all__)
assert (Path(alarmnet.__file__).parent / "py.typed").is_file()

rows = np.random.default_rng(0).normal(size=(300, 4))
rows[-10:] += 6
kinds = np.repeat(["usual", "odd"], [290, 10])
table = pa.table({"a": rows[:, 0], "b": rows[:, 1], "c": rows[:, 2], "d": rows[:, 3], "kind": kinds})
csv.write_csv(table, HERE / "rows.csv")

program = Path(sys.executable).with_name("alarmnet")
for command in (
    "fit rows.csv --label kind --anomaly odd --alarm-rate 0.05 --seed 0 --out rows.model",
    "score rows.model rows.csv --out scores.csv",
    "explain rows.model rows.csv --row 299",
):
    subprocess.run([program, *command.split()], cwd=HERE, check=True)

alarms = alarmnet.load(HERE / "rows.model").predict(table.drop(["kind"]))
assert alarms[-10:].all()
print(f"installed alarmnet: {alarms.sum()} alarms in {len(rows)} rows")
