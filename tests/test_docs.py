"""The pages' examples: Python runs as it stands, commands and options exist."""

import os
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from benchmarks import reference
from numpy.typing import NDArray

import alarmnet
from alarmnet import A3Detector
from alarmnet._shared.persistence import FORMAT_VERSION
from alarmnet.cli import main

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("ALARMNET_DATA", ROOT.parent / "shared" / "data"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?P<skipped><!-- not run -->\s*)?^```(?P<kind>python|sh)\n(?P<text>.*?)^```", re.M | re.S
)


def blocks(text: str, kind: str) -> list[str]:
    """Blocks of one kind in order, but for those behind `<!-- not run -->`."""
    found = [block for block in BLOCK.finditer(text) if not block["skipped"]]
    return [block["text"] for block in found if block["kind"] == kind]


def test_blocks_are_found_and_skipped() -> None:
    page = "```python\na\n```\n<!-- not run -->\n```python\nb\n```\n```sh\nc\n```\n```\nd\n```\n"
    assert (blocks(page, "python"), blocks(page, "sh"), blocks("", "sh")) == (["a\n"], ["c\n"], [])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_runs_as_it_stands(
    page: Path,
    small: Callable[..., A3Detector],
    rows: NDArray[np.float64],
    labels: NDArray[np.float64],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page's blocks run one after the other; `detector`, `table` and `labels` may be taken for granted."""
    sources = blocks(page.read_text(), "python")
    if any("alarmnet.datasets" in source for source in sources) and not DATA.is_dir():
        pytest.skip(f"real data is not at hand: set ALARMNET_DATA, {DATA} does not exist")
    monkeypatch.setenv("ALARMNET_DATA", str(DATA))
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(rows, columns=list("abcde")).assign(flow=np.arange(len(rows)) % 190)
    names: dict[str, Any] = {"table": table, "labels": labels}
    if any("detector" in source for source in sources):
        names["detector"] = small().fit(table, labels)
    for source in sources:
        exec(compile(source, page.name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    lines = "".join(blocks(page.read_text(), "sh")).replace("\\\n", " ").splitlines()
    for words in (shlex.split(line, comments=True) for line in lines):
        if words[:1] != ["alarmnet"]:
            continue
        command: click.Command | None = main
        rest = words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(click.Context(command), rest.pop(0))
        assert command, words
        known = {name for option in command.params for name in option.opts} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known, words


@pytest.mark.parametrize(("page", "lines"), reference.tables().values(), ids=reference.tables())
def test_the_reference_is_that_of_the_package(page: str, lines: Iterable[str]) -> None:
    assert "\n".join(lines) in (ROOT / "docs" / page).read_text(), "run `make tables`"


def test_every_public_name_is_in_the_api_reference() -> None:
    pages = (ROOT / "docs" / "reference" / "api").glob("*.md")
    shown = re.findall(r"^::: alarmnet\.(\w+)$", "".join(page.read_text() for page in pages), re.M)
    assert set(alarmnet.__all__) <= set(shown)


def test_the_page_of_model_files_names_their_format() -> None:
    page = (ROOT / "docs" / "reference" / "files.md").read_text()
    assert f"format version, now {FORMAT_VERSION} " in page


def test_every_page_is_in_the_sites_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:]]
    assert [page for page in pages if page not in navigation] == []
