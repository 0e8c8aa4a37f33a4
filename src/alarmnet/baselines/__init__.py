"""The methods that the papers compare with, and simple ones of today. Higher scores are more anomalous."""

from alarmnet.baselines.autoencoder import AutoencoderBaseline
from alarmnet.baselines.base import Baseline
from alarmnet.baselines.classifiers import GradientBoosting, RandomForest
from alarmnet.baselines.dagmm import DAGMM
from alarmnet.baselines.dasvdd import DASVDD
from alarmnet.baselines.deep_svdd import DeepSVDD
from alarmnet.baselines.devnet import DevNet
from alarmnet.baselines.isolation_forest import IsolationForestBaseline
from alarmnet.baselines.mix import MIX
from alarmnet.baselines.mkd_ad import MKDAD
from alarmnet.baselines.neural_classifier import NeuralClassifier
from alarmnet.baselines.own import OwnMethod

BASELINES: dict[str, type[Baseline]] = {
    kind.name: kind
    for kind in (
        AutoencoderBaseline,
        IsolationForestBaseline,
        DAGMM,
        DeepSVDD,
        DASVDD,
        MIX,
        MKDAD,
        DevNet,
        NeuralClassifier,
        GradientBoosting,
        RandomForest,
    )
}
"""Baselines by the names that tables and the command line use."""

__all__ = [
    "BASELINES",
    "DAGMM",
    "DASVDD",
    "MIX",
    "MKDAD",
    "AutoencoderBaseline",
    "Baseline",
    "DeepSVDD",
    "DevNet",
    "GradientBoosting",
    "IsolationForestBaseline",
    "NeuralClassifier",
    "OwnMethod",
    "RandomForest",
]
