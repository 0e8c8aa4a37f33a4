"""Every script in examples/ runs as it stands, and the README there lists it."""

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(FOLDER.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs_and_says_something(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out


def test_the_readme_lists_them() -> None:
    readme = (FOLDER / "README.md").read_text()
    assert SCRIPTS
    assert [script.name for script in SCRIPTS if f"[{script.name}]({script.name})" not in readme] == []
