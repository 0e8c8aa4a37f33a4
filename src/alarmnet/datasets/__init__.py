"""Public data sets: loaders, the scenarios of the A3 paper, and a registry of both."""

from alarmnet.datasets.base import DatasetInfo, Images, Table
from alarmnet.datasets.fetch import DataFile, find
from alarmnet.datasets.images.cifar10 import load_cifar10
from alarmnet.datasets.images.digits_and_letters import load_digits_and_letters
from alarmnet.datasets.images.emnist_letters import load_emnist_letters
from alarmnet.datasets.images.fashion_mnist import load_fashion_mnist
from alarmnet.datasets.images.mnist import load_mnist
from alarmnet.datasets.registry import DATASETS, dataset_info, to_table
from alarmnet.datasets.scenarios import A3_SCENARIOS, Scenario, ScenarioData, ScenarioPart, make_scenario
from alarmnet.datasets.tables.bank_marketing import load_bank_marketing
from alarmnet.datasets.tables.celeba_attributes import load_celeba_attributes
from alarmnet.datasets.tables.census_income import load_census_income
from alarmnet.datasets.tables.credit_card import load_credit_card
from alarmnet.datasets.tables.cse_cic_ids2018 import load_cse_cic_ids2018, load_cse_cic_ids2018_sample
from alarmnet.datasets.tables.kddcup99 import load_kdd_http, load_kdd_portsweep, load_kddcup99
from alarmnet.datasets.tables.nsl_kdd import load_nsl_kdd
from alarmnet.datasets.tables.thyroid import load_thyroid

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
    "load_celeba_attributes",
    "load_census_income",
    "load_cifar10",
    "load_credit_card",
    "load_cse_cic_ids2018",
    "load_cse_cic_ids2018_sample",
    "load_digits_and_letters",
    "load_emnist_letters",
    "load_fashion_mnist",
    "load_kdd_http",
    "load_kdd_portsweep",
    "load_kddcup99",
    "load_mnist",
    "load_nsl_kdd",
    "load_thyroid",
    "make_scenario",
    "to_table",
]
