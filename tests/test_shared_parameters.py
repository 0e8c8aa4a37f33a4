"""What detectors share is written once, and shown by each of them in full."""

import inspect
import re
from typing import get_type_hints

import pytest

from alarmnet.baselines import BASELINES, Baseline
from alarmnet.baselines.base import BaselineParameters
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters
from alarmnet.detectors import DETECTORS, BaseDetector, a3, conv_a3
from alarmnet.detectors.shared import ATTRIBUTES, CONTRACT, PARAMETERS, SharedParameters, described

FEW = 6
"""Lines in a row that two detectors may not have in common."""

KINDS = pytest.mark.parametrize("kind", DETECTORS.values(), ids=DETECTORS)


def runs(source: str) -> set[tuple[str, ...]]:
    """All runs of so many lines in a row, blank ones aside."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return {tuple(lines[start : start + FEW]) for start in range(len(lines) - FEW + 1)}


def test_no_six_lines_in_a_row_stand_in_both_detectors() -> None:
    one, other = (runs(inspect.getsource(module)) for module in (a3, conv_a3))
    assert len(one) > 100
    assert not one & other


@KINDS
def test_a_detectors_help_describes_each_of_its_parameters_once(kind: type[BaseDetector]) -> None:
    text = str(kind.__doc__)
    listed = text.split("Parameters\n----------\n")[1].split("\n\nAttributes\n")[0]
    names = re.findall(r"^(\w[\w, ]*)$", listed, re.M)
    described_names = [name for line in names for name in line.split(", ")]
    assert sorted(described_names) == sorted(inspect.signature(kind).parameters)
    for part in (CONTRACT, PARAMETERS, ATTRIBUTES):
        assert text.count(part) == 1
    assert text.index(PARAMETERS) < text.index(ATTRIBUTES) < text.index("Examples\n--------\n>>> ")


@KINDS
def test_a_detectors_signature_has_the_shared_parameters_and_their_defaults(kind: type[BaseDetector]) -> None:
    shown, shared = (inspect.signature(one).parameters for one in (kind, BaseDetector))
    assert {name: shown[name] for name in shared} == dict(shared)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in shown.values())


def test_the_shared_parameters_are_the_bases() -> None:
    taken = get_type_hints(BaseDetector.__init__)
    assert get_type_hints(SharedParameters) == {
        name: kind for name, kind in taken.items() if name != "return"
    }


def test_a_detector_without_parameters_of_its_own_is_described_too() -> None:
    text = described("Some detector.")
    assert text.startswith(f"Some detector.\n\n{CONTRACT}\n\nParameters\n----------\nencoder\n")
    assert text.endswith(f"{ATTRIBUTES}\n")


@pytest.mark.parametrize("kind", BASELINES.values(), ids=BASELINES)
def test_a_baselines_signature_and_help_have_the_shared_parameters(kind: type[Baseline]) -> None:
    base = NeuralBaseline if issubclass(kind, NeuralBaseline) else Baseline
    shown, shared = (inspect.signature(one).parameters for one in (kind, base))
    assert {name: shown[name] for name in shared} == dict(shared)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in shown.values())
    listed = str(inspect.getdoc(kind)).split("Parameters\n----------\n")[1].split("\n\n")[0]
    names = re.findall(r"^(\w[\w, ]*)$", listed, re.M)
    assert sorted(name for line in names for name in line.split(", ")) == sorted(shown)


@pytest.mark.parametrize(
    ("base", "parameters"), [(Baseline, BaselineParameters), (NeuralBaseline, NeuralParameters)]
)
def test_the_baselines_shared_parameters_are_the_bases(base: type[Baseline], parameters: type) -> None:
    assert set(get_type_hints(parameters)) == set(inspect.signature(base).parameters)
