"""The figures in the docs are those of the committed outputs, as the committed commands print them."""

from pathlib import Path

import pytest
from benchmarks import docs, nsl_kdd_defaults, reference

ROOT = Path(__file__).parents[1]
TABLES = {name: table for name, table in docs.tables().items() if name not in reference.tables()}


@pytest.mark.parametrize("name", TABLES)
def test_tables_in_the_docs_are_the_committed_results(name: str) -> None:
    page, lines = TABLES[name]
    assert "\n".join(lines) in (docs.PAGES / page).read_text(), "run `make tables`"


def test_a_page_without_a_place_for_a_table_says_what_to_put_there() -> None:
    with pytest.raises(ValueError, match=r"^0 places for the table 'size': put <!-- table: size --> before"):
        docs.filled("no place", "size", ["line"])


def test_the_results_quote_the_timing() -> None:
    median = nsl_kdd_defaults.medians(docs.RESULTS / "nsl_kdd_defaults.jsonl")
    page = (ROOT / "docs" / "research" / "results.md").read_text()
    assert f"{median['fit']:.0f} s" in page
    assert f"{median['ap']:.3f}" in page
    assert f"{median['times faster']:.0f} times" in page
