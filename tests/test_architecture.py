"""The import ladder of docs/contributing/architecture.md, and the public names."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import alarmnet

PACKAGE = Path(alarmnet.__file__).parent
LADDER_PAGE = Path(__file__).parents[1] / "docs" / "contributing" / "architecture.md"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def ladder() -> dict[str, int]:
    """Module or folder to its step, from the page's table; lower steps may not import higher ones."""
    table = LADDER_PAGE.read_text().split("## The import ladder")[1].split("##")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = [name for cell in cells for name in re.findall(r"`([\w/]+?)(?:\.py|/)`", cell)]
    return {name.replace("/", "."): step for step, name in enumerate(names)}


def step(module: str) -> int:
    """A file's own line where it has one, else its folder's."""
    steps = ladder()
    line = module if module in steps else module.partition(".")[0]
    assert line in steps, f"{module} is missing from the ladder of {LADDER_PAGE.name}"
    return steps[line]


def imported(path: Path) -> set[str]:
    """The modules of alarmnet that a file imports, anywhere in it, for type annotations too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {f"alarmnet.{name}" for name in MODULES}
            found |= submodules & known or {str(node.module)}
    return {name.removeprefix("alarmnet.") for name in found if name.partition(".")[0] == "alarmnet"}


@pytest.mark.parametrize("module", MODULES)
def test_a_file_imports_only_from_lines_above_its_own(module: str) -> None:
    folder = module.partition(".")[0]
    for other in imported(MODULES[module]):
        sibling = other.partition(".")[0] == folder
        assert step(other) < step(module) or (sibling and step(other) == step(module)), other


def test_files_do_not_import_each_other_in_a_circle() -> None:
    graph = {module: imported(path) for module, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


def test_the_ladder_names_no_file_that_is_gone() -> None:
    assert set(ladder()) <= set(MODULES)


def test_imports_are_found_wherever_they_stand(tmp_path: Path) -> None:
    source = tmp_path / "sample.py"
    source.write_text(
        "from alarmnet import plots\nimport alarmnet.report\n"
        "def late():\n    from alarmnet.errors import InputError\n"
        "if TYPE_CHECKING:\n    from alarmnet.cli import main\n"
    )
    assert imported(source) == {"plots", "report", "errors", "cli"}


def test_the_package_has_few_entries() -> None:
    entries = sorted(path.name for path in PACKAGE.iterdir() if path.name != "__pycache__")
    assert len(entries) <= 20, entries


@pytest.mark.parametrize("module", MODULES)
def test_a_file_holds_one_idea(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 400


def test_the_command_line_parses_and_prints() -> None:
    files = [path for module, path in MODULES.items() if module.partition(".")[0] == "cli"]
    assert sum(len(path.read_text().splitlines()) for path in files) <= 2200


def test_public_names_are_complete_and_sorted() -> None:
    source = ast.parse((PACKAGE / "__init__.py").read_text())
    shown = {
        alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("alarmnet")
        for alias in node.names
    }
    assert alarmnet.__all__ == sorted(shown) == dir(alarmnet)
    with pytest.raises(AttributeError, match="module 'alarmnet' has no attribute 'nothing'"):
        alarmnet.nothing  # noqa: B018


def test_pytorch_is_imported_when_it_is_first_needed() -> None:
    script = "import sys, alarmnet, alarmnet.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_pyod_is_imported_by_its_user_alone() -> None:
    """Importing PyOD seeds NumPy's global random state."""
    assert not [module for module, path in MODULES.items() if "faces.pyod" in imported(path)]


@pytest.mark.parametrize("name", alarmnet.__all__)
def test_public_names_are_described_with_an_example(name: str) -> None:
    value = getattr(alarmnet, name)
    assert value.__doc__
    is_fault = isinstance(value, type) and issubclass(value, Exception)  # drawn as a family in errors.py
    assert is_fault or ">>>" in value.__doc__
