"""Public tables. To add one, add a file next to this one and a line to `TABLES`.

Missing values are nulls. Rows keep the order of the original files, the official training part first.
"""

from alarmnet.datasets.tables.bank_marketing import BANK_MARKETING
from alarmnet.datasets.tables.celeba_attributes import CELEBA_ATTRIBUTES
from alarmnet.datasets.tables.census_income import CENSUS_INCOME
from alarmnet.datasets.tables.credit_card import CREDIT_CARD
from alarmnet.datasets.tables.cse_cic_ids2018 import (
    CSE_CIC_IDS2018,
    CSE_CIC_IDS2018_IMPROVED_SAMPLE,
    CSE_CIC_IDS2018_SAMPLE,
    CSE_CIC_IDS2018_WITHOUT_DDOS,
)
from alarmnet.datasets.tables.kddcup99 import (
    KDD_HTTP,
    KDD_HTTP_STAND_IN,
    KDD_PORTSWEEP,
    KDD_PORTSWEEP_STAND_IN,
    KDDCUP99,
    KDDCUP99_10_PERCENT,
)
from alarmnet.datasets.tables.nsl_kdd import NSL_KDD
from alarmnet.datasets.tables.thyroid import THYROID

TABLES = (
    NSL_KDD,
    CREDIT_CARD,
    BANK_MARKETING,
    THYROID,
    CENSUS_INCOME,
    CELEBA_ATTRIBUTES,
    KDDCUP99,
    KDDCUP99_10_PERCENT,
    KDD_HTTP,
    KDD_HTTP_STAND_IN,
    KDD_PORTSWEEP,
    KDD_PORTSWEEP_STAND_IN,
    CSE_CIC_IDS2018,
    CSE_CIC_IDS2018_WITHOUT_DDOS,
    CSE_CIC_IDS2018_SAMPLE,
    CSE_CIC_IDS2018_IMPROVED_SAMPLE,
)
