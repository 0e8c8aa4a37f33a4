"""Public data sets: loaders, the scenarios of the A3 paper, and a registry of both."""

from alarmnet.datasets.base import DatasetInfo, Images, Table
from alarmnet.datasets.fetch import DataFile, find
from alarmnet.datasets.images import load_fashion_mnist, load_mnist
from alarmnet.datasets.registry import DATASETS, dataset_info, to_table
from alarmnet.datasets.scenarios import A3_SCENARIOS, Scenario, ScenarioData, ScenarioPart, make_scenario
from alarmnet.datasets.tables import (
    load_bank_marketing,
    load_census_income,
    load_credit_card,
    load_nsl_kdd,
    load_thyroid,
)

__all__ = [
    "A3_SCENARIOS",
    "DATASETS",
    "DataFile",
    "DatasetInfo",
    "Images",
    "Scenario",
    "ScenarioData",
    "ScenarioPart",
    "Table",
    "dataset_info",
    "find",
    "load_bank_marketing",
    "load_census_income",
    "load_credit_card",
    "load_fashion_mnist",
    "load_mnist",
    "load_nsl_kdd",
    "load_thyroid",
    "make_scenario",
    "to_table",
]
