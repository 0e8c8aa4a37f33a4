"""Table files: what is read, what a column becomes, and the sentence of every refusal."""

import gzip
import os
import re
import shutil
import subprocess
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alarmnet.data_files import MISSING_WORDS, ColumnKind, TableFiles, lending, write_table
from alarmnet.errors import InputError


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "flows.csv") -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


CsvFile = Callable[..., Path]


def column(path: Path, name: str = "a", **settings: Any) -> tuple[pa.DataType, list[Any]]:
    read = TableFiles(path, **settings).read().column(name)
    return read.type, read.to_pylist()


def refusal(path: Path | list[Path], kinds: Mapping[str, ColumnKind] | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        TableFiles(path, kinds=kinds).read()
    return caught.value


@pytest.mark.skipif(not shutil.which("iconv"), reason="there is no iconv")
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_the_command_that_a_refusal_names_converts_the_file(
    csv_file: CsvFile, encoding: str, ending: str
) -> None:
    text = "name,b\n" + "na\u00efve,2\n" * 3 + ("a \u2013 b,2\n" if encoding == "cp1252" else "")
    path = csv_file(text.encode(encoding), f"my flows{ending}")
    command = str(refusal(path)).partition("convert it to UTF-8: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert (path.parent / "my flows.utf8.csv").read_text() == text


# --- what a column becomes ---


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "-2.5", "+3", ".5", "5.", "1e-3", "1E+5"],
        ["1", " 2 ", "3"],
        ["1", "NaN", "nan", "NA", "null", "None", "N/A", " NA "],
        ["NA", "NA"],
    ],
)
def test_a_column_of_numbers_is_numbers(csv_file: CsvFile, cells: list[str]) -> None:
    kind, values = column(csv_file("a,b\n" + "".join(f"{cell},x\n" for cell in cells)))
    assert kind == pa.float64()
    assert values == [None if cell.strip() in MISSING_WORDS else float(cell) for cell in cells]


def test_an_empty_cell_is_missing_in_every_kind(csv_file: CsvFile) -> None:
    table = TableFiles(csv_file("n,t,d\n1,x,2024-01-31\n,,\n")).read()
    assert [str(kind) for kind in table.schema.types] == ["double", "string", "timestamp[us]"]
    assert table.slice(1).to_pylist() == [{"n": None, "t": None, "d": None}]


def test_na_is_a_category_in_a_text_column(csv_file: CsvFile) -> None:
    assert column(csv_file("a,b\nNA,1\nEU,1\nnan,1\n'',1\n x ,1\n")) == (
        pa.string(),
        ["NA", "EU", "nan", "''", " x "],
    )


@pytest.mark.parametrize("cells", ["-\n1\n", '"1,234.50"\n7\n', "$1\n$2\n", '"1,5"\n2\n'])
def test_numbers_that_are_not_plain_are_handed_on_as_text(csv_file: CsvFile, cells: str) -> None:
    assert column(csv_file(f"a\n{cells}"))[0] == pa.string()


def test_words_for_missing_are_read_in_a_column_known_to_be_numbers(csv_file: CsvFile) -> None:
    words = csv_file("a,d\n -,?\nUNKNOWN,n.a.\n#DIV/0!,\n1,2024-01-31\n")
    table = TableFiles(words, kinds={"a": "number", "d": "datetime"}).read()
    assert table.column("a").to_pylist() == [None, None, None, 1.0]
    assert table.column("d").null_count == 3


def test_infinity_is_a_number(csv_file: CsvFile) -> None:
    kind, values = column(csv_file("a\n1\nInfinity\n-inf\n1e400\n-1e400\n"))
    assert kind == pa.float64()
    assert values == [1, np.inf, -np.inf, np.inf, -np.inf]


@pytest.mark.parametrize("odd", ["-", "0x10", "1_000", "1 000", "1d5", "ten", "1e", "--1"])
def test_one_cell_that_is_no_number_makes_text(csv_file: CsvFile, odd: str) -> None:
    cells = ["1"] * 50 + [odd]
    assert column(csv_file("a\n" + "\n".join(cells))) == (pa.string(), cells)


def test_dates_and_timestamps_of_iso_8601_are_utc_timestamps(csv_file: CsvFile) -> None:
    cells = {
        "2024-02-29": datetime(2024, 2, 29),
        "9999-12-31": datetime(9999, 12, 31),
        "2024-01-31 10:20": datetime(2024, 1, 31, 10, 20),
        "2024-01-31T10:20:30.5": datetime(2024, 1, 31, 10, 20, 30, 500_000),
        " 2024-01-31 10:20:30.123456789 ": datetime(2024, 1, 31, 10, 20, 30, 123_456),
        "2024-01-31T10:20:30Z": datetime(2024, 1, 31, 10, 20, 30),
        "2024-01-31T10:20:30+05:30": datetime(2024, 1, 31, 4, 50, 30),
        "2024-01-31T23:20-01": datetime(2024, 2, 1, 0, 20),
        "NA": None,
    }
    assert column(csv_file("a\n" + "\n".join(cells))) == (pa.timestamp("us"), list(cells.values()))


@pytest.mark.parametrize("odd", ["2023-02-29", "1900-02-29", "2024-04-31", "2024-1-1", "31.01.2024", "12"])
def test_what_is_no_date_makes_text(csv_file: CsvFile, odd: str) -> None:
    assert column(csv_file(f"a\n2024-01-31\n{odd}\n"))[0] == pa.string()


def test_the_kind_depends_on_every_block_of_every_file(
    csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alarmnet.data_files.csv_file._BLOCK_BYTES", 64)
    numbers = csv_file("a,b\n" + "1,2\n" * 100, "1.csv")
    text = csv_file("a,b\n" + "1,2\n" * 100 + "x,2\n", "2.csv")
    assert TableFiles([numbers, text]).read().schema.types == [pa.string(), pa.float64()]
    assert TableFiles(numbers).read().schema.types == [pa.float64(), pa.float64()]


def test_a_file_with_nothing_in_a_column_does_not_decide_its_kind(csv_file: CsvFile) -> None:
    contents = ["a,b\n", "a,b\n,1\n NA ,1\n", "a,b\n2024-01-31,1\n"]
    paths = [csv_file(content, f"{number}.csv") for number, content in enumerate(contents)]
    for files in (paths, paths[::-1]):
        assert TableFiles(files).read().schema.field("a").type == pa.timestamp("us")


def test_every_spelling_of_nan_is_missing(csv_file: CsvFile) -> None:
    assert column(csv_file("a,b\nNAN,1\n-nan,1\n2,1\n")) == (pa.float64(), [None, None, 2])


def test_given_kinds_are_kept_and_the_others_found_out(csv_file: CsvFile) -> None:
    path = csv_file("a,b,c\n1,2,\n")
    table = TableFiles(path, kinds={"a": "text", "c": "datetime", "elsewhere": "number"}).read()
    assert table.schema.types == [pa.string(), pa.float64(), pa.timestamp("us")]
    assert table.to_pylist() == [{"a": "1", "b": 2.0, "c": None}]


# --- forms of files ---


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,y\n",
        b"a,b\n1,x\n2,y",
        b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
        b"a,b\r\n1,x\r\n2,y\r\n",
        b"a,b\r1,x\r2,y\r",
        b"a,b\n\n1,x\n\n2,y\n\n\n",
        b'"a","b"\n"1","x"\n"2","y"',
        b"a;b\n1;x\n2;y\n",
        b"a\tb\n1\tx\n2\ty\n",
    ],
)
@pytest.mark.parametrize("name", ["flows.csv", "flows.csv.gz", "flows.TXT", "flows"])
def test_one_table_in_many_forms(csv_file: CsvFile, content: bytes, name: str) -> None:
    assert TableFiles(csv_file(content, name)).read().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_gzip_is_told_by_its_first_bytes(csv_file: CsvFile, tmp_path: Path) -> None:
    csv_file("a\n1\n", "packed.csv.gz").rename(tmp_path / "packed.csv")
    assert column(tmp_path / "packed.csv")[1] == [1]


def test_a_header_without_a_line_end_is_a_table_without_rows(csv_file: CsvFile) -> None:
    assert TableFiles(csv_file("a,b")).read().to_pydict() == {"a": [], "b": []}
    assert TableFiles(csv_file("a,b\n1,2")).read().to_pydict() == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a,b", ","),
        ("a;b", ";"),
        ("a\tb", "\t"),
        ('"a;;;",b', ","),
        ("a,b;c;d", ";"),
        ("a", ","),
        ("a,b;c", ","),
    ],
)
def test_the_separator_is_what_the_header_has_most_of(csv_file: CsvFile, header: str, expected: str) -> None:
    assert TableFiles(csv_file(header + "\n")).delimiter == expected


def test_quoted_cells_keep_separators_quotes_and_line_ends(csv_file: CsvFile) -> None:
    path = csv_file('a,"b\nx"\n"1,5 ""x""","two\nlines"\n')
    assert TableFiles(path).read().to_pydict() == {"a": ['1,5 "x"'], "b\nx": ["two\nlines"]}


def test_odd_names_are_kept(csv_file: CsvFile) -> None:
    names = ["", "<b>", "x" * 1000, "ünï", "a.b"]
    assert TableFiles(csv_file(",".join(names) + "\n1,2,3,4,5\n")).columns == tuple(names)


def test_several_files_follow_the_first_ones_columns(csv_file: CsvFile) -> None:
    paths = [csv_file("a,b\n1,x\n", "1.csv"), csv_file("b;a\ny;2\n", "2.csv.gz")]
    files = TableFiles(paths)
    rows_before = files.n_rows
    assert files.read().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    assert (rows_before, files.n_rows) == (None, 2)
    assert files.n_bytes == sum(path.stat().st_size for path in paths)


# --- batches ---


def many_files(folder: Path, form: str) -> list[Path]:
    paths = []
    for number, rows in enumerate([0, 37, 1, 90]):
        first = 1000 * number
        table = pa.table({"a": [float(i) for i in range(first, first + rows)], "b": ["é"] * rows})
        paths.append(folder / f"{number}{form}")
        write_table(paths[-1], [table.cast(pa.schema({"a": pa.float64(), "b": pa.string()}))])
    return paths


@pytest.mark.parametrize("form", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("rows", [1, 7, 64, 128, 1000])
def test_batch_and_block_size_never_change_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, rows: int
) -> None:
    files = TableFiles(many_files(tmp_path, form))
    whole = files.read()
    monkeypatch.setattr("alarmnet.data_files.csv_file._BLOCK_BYTES", 100)
    cut = list(files.batches(rows=rows))
    assert pa.concat_tables(batch.table for batch in cut).equals(whole)
    assert len(whole) == 128
    assert [len(batch.table) for batch in cut[:-1]] == [rows] * (len(cut) - 1)
    assert [batch.first_row for batch in cut] == list(range(0, 128, rows))
    assert all(batch.bad_rows.shape == (len(batch.table),) and not batch.bad_rows.any() for batch in cut)


@pytest.mark.parametrize("form", [".csv", ".parquet"])
def test_files_without_rows_give_one_empty_batch(tmp_path: Path, form: str) -> None:
    files = TableFiles(many_files(tmp_path, form)[0], kinds={"a": "number", "b": "text"})
    (batch,) = files.batches()
    assert batch.table.schema.types == [pa.float64(), pa.string()]
    assert (len(batch.table), batch.bad_rows.shape, files.n_rows) == (0, (0,), 0)


def test_reading_can_stop_early(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1,2\n" * 500_000)
    for _ in range(5):
        assert len(next(TableFiles(path, kinds={"a": "number", "b": "number"}).batches(rows=10)).table) == 10


def test_columns_are_chosen_and_ordered(csv_file: CsvFile) -> None:
    assert TableFiles(csv_file("a,b,c\n1,x,2\n")).read(["c", "a"]).to_pydict() == {"c": [2], "a": [1]}


def test_bad_cells_can_be_marked_instead_of_refused(
    csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csv_file("a,b,d\n1,x,2024-01-31\n~,y,2024-01-31\n,z,soon\n1e400,-,\n", "1.csv")
    kinds: dict[str, ColumnKind] = {"a": "number", "b": "text", "d": "datetime"}
    for block_bytes in (30, 1000):
        monkeypatch.setattr("alarmnet.data_files.csv_file._BLOCK_BYTES", block_bytes)
        marked = list(TableFiles([path, path], kinds=kinds).batches(rows=3, on_bad_cell="null"))
        assert np.concatenate([batch.bad_rows for batch in marked]).tolist() == [False, True, True, False] * 2
        table = pa.concat_tables(batch.table for batch in marked)
        assert table.column("a").to_pylist() == [1, None, None, np.inf] * 2
        assert (
            table.column("d").to_pylist()
            == [datetime(2024, 1, 31)] * 2 + [None] * 2 + [datetime(2024, 1, 31)] * 2 + [None] * 2
        )


# --- refusals ---

NUMBERS: dict[str, ColumnKind] = {"a": "number", "b": "number"}
REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "empty": ("", "empty_file", "is empty; it needs a line with the column names"),
    "blank header": (
        "\na,b\n",
        "no_header",
        "begins with an empty line; the first line must name the columns",
    ),
    "no header": (
        "1,2.5\n3,4\n",
        "no_header",
        "has no header: its first line holds numbers only (1, 2.5); put a line with the column names",
    ),
    "same names": (
        "a,b,a\n1,2,3\n",
        "duplicate_columns",
        "names columns more than once: 'a'; every column needs",
    ),
    "empty columns at the end": (
        "a,b,,\n1,2,,\n",
        "duplicate_columns",
        "names columns more than once: ''; every column needs a name of its own (2 have none: name or remove them)",
    ),
    "open quote in the header": (
        'a,"b\n1,2\n',
        "no_header",
        "the header cannot be read: unexpected end of data",
    ),
    "header again": (
        'a,b\n1,"x\ny"\n\na,b\n3,z\n',
        "repeated_header",
        "line 5 repeats the header; remove that line",
    ),
    "long row": (
        'a,b\n1,"x\ny"\n\n3,4,5\n',
        "ragged_row",
        "line 5 has 3 cells where the header names 2 columns; correct that line",
    ),
    "short row": ("a,b\n1\n", "ragged_row", "line 2 has 1 cells where the header names 2 columns"),
    "open quote": (
        'a,b\n1,"2"\n3,"4\n5,6\n',
        "unclosed_quote",
        "line 3 opens a quote that is not closed where its cell ends; close it",
    ),
    "open quote after a stray one": ('a,b\n5" pipe,1\n2,"x\n', "unclosed_quote", "line 3 opens a quote"),
    "open quote in the last line": ('a,b\n1,2\n3,"4', "unclosed_quote", "line 3 opens a quote"),
    "open quote in the first cell": ('a,b\n1,2\n"3,4\n5,6\n', "unclosed_quote", "line 3 opens a quote"),
    "open quote long before the end": (
        'a,b,c\n1,2,3\n"4,5,6\n' + "7,8,9\n" * 500,
        "unclosed_quote",
        "line 3 opens a quote",
    ),
    "quote closed by the next": ('a,b\n1,"x"\n2,"y\n3,"z"\n', "unclosed_quote", "line 3 opens a quote"),
    "NUL": (
        "a,b\n1,2\0\n",
        "nul_byte",
        "holds a NUL byte at byte 7, so it is not UTF-8 text; convert it to UTF-8",
    ),
    "Latin-1": (
        b"a,b\n1,c\xe9\n",
        "bad_encoding",
        "is not UTF-8 at byte 7 (0xE9), and may be Windows-1252 or Latin-1 text; convert it to UTF-8: ",
    ),
    "Latin-1 header": (b"a,\xe9b\n1,2\n", "bad_encoding", "is not UTF-8 at byte 2 (0xE9)"),
    "cut character": (b"a,b\n1,c\xc3", "bad_encoding", "is not UTF-8 at byte 7 (0xC3)"),
    "UTF-16": (
        "a,b\n1,2\n".encode("utf-16"),
        "bad_encoding",
        "is UTF-16 text, by the mark at byte 0; convert it to UTF-8: ",
    ),
    "UTF-32": ("a,b\n1,2\n".encode("utf-32"), "bad_encoding", "is UTF-32 text, by the mark at byte 0"),
    "UTF-16 without a mark": (
        "a,b\n1,2\n".encode("utf-16-be"),
        "bad_encoding",
        "is UTF-16BE text, by its zero bytes; convert it to UTF-8: ",
    ),
    "UTF-32 without a mark": ("a,b\n1,2\n".encode("utf-32-le"), "bad_encoding", "is UTF-32LE text"),
    "Windows-1252": (
        "a,b\n1,x \u2013 y\n".encode("cp1252"),
        "bad_encoding",
        "is not UTF-8 at byte 8 (0x96), and may be Windows-1252 text; convert it to UTF-8: ",
    ),
    "neither": (b"a,b\n1,\x81\xe9\n", "bad_encoding", "nor Windows-1252 or Latin-1 text; find out"),
    "cut after others": ("a,b\n1,\u00e9\n1,c".encode() + b"\xc3", "bad_encoding", "but what comes before is"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_csv_file_that_is_no_table_is_refused(csv_file: CsvFile, name: str, ending: str) -> None:
    content, code, sentence = REFUSED[name]
    path = csv_file(content, f"flows{ending}")
    error = refusal(path)
    assert str(error).startswith(str(path))
    assert sentence in str(error)
    assert error.code == code


@pytest.mark.parametrize(
    ("cell", "kind", "code", "sentence"),
    [
        (
            "~",
            "number",
            "bad_cell",
            "'~' is not a number; correct the cell, or leave it empty if it is missing",
        ),
        ("ten", "number", "bad_cell", "'ten' is not a number"),
        ("1,5", "number", "decimal_comma", "'1,5' has a comma in a number; write 1.5 instead of 1,5"),
        (
            "2023-02-29",
            "datetime",
            "bad_cell",
            "'2023-02-29' is no ISO 8601 date or timestamp; write it like",
        ),
    ],
)
def test_a_bad_cell_is_refused_with_its_line_column_and_rows(
    csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch, cell: str, kind: ColumnKind, code: str, sentence: str
) -> None:
    monkeypatch.setattr("alarmnet.data_files.csv_file._BLOCK_BYTES", 200)
    good = csv_file('a;b\n"x\ny";\n', "1.csv")
    bad = csv_file('a,b\n"x\ny",\n\n' + "x,\n" * 100 + f'x,"{cell}"\n' * 7, "2.csv")
    error = refusal([good, bad], {"a": "text", "b": kind})
    assert str(error).startswith(f"{bad} line 105, column 'b': {sentence}")
    assert (error.code, error.column, error.rows) == (code, "b", (102, 103, 104, 105, 106))


def test_a_line_number_is_right_in_later_blocks(csv_file: CsvFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alarmnet.data_files.csv_file._BLOCK_BYTES", 100)
    path = csv_file("a,b\n" + "1,2\n\n" * 500 + "1,2,3\n")
    assert "line 1002 has 3 cells" in str(refusal(path))
    path = csv_file("a,b\n" + "1,2\n\n" * 500 + "a,b\n")
    assert "line 1002 repeats the header" in str(refusal(path))


def test_cells_too_long_for_the_line_search_are_placed_by_row(csv_file: CsvFile) -> None:
    path = csv_file("a,b\n" + "x" * 200_000 + ",1\nx,~\n")
    assert "row 1 (counted from 0), column 'b': '~'" in str(refusal(path, {"a": "text", "b": "number"}))


def test_a_stray_quote_inside_a_cell_is_no_open_quote(csv_file: CsvFile) -> None:
    assert column(csv_file('a,b\n5" pipe,1\n"x",2\n'))[1] == ['5" pipe', "x"]


@pytest.mark.parametrize("endless", ["x" * (20 << 20), '"' + "x\n" * (10 << 20)])
def test_an_endless_line_is_refused_soon(csv_file: CsvFile, endless: str) -> None:
    path = csv_file("a,b\n1,2\n\n3,4\n5," + endless, "bomb.csv.gz")
    start = time.monotonic()
    error = refusal(path, {"a": "number", "b": "text"})
    assert "comes a line longer than 8 MiB, or a quote that is never closed; correct the file" in str(error)
    assert time.monotonic() - start < 5


def test_an_endless_first_line_is_refused(csv_file: CsvFile) -> None:
    error = refusal(csv_file("a" * (2 << 20)))
    assert "the first line is longer than 1 MiB, so it is not a header" in str(error)


def test_truncated_and_damaged_gzip_is_refused(csv_file: CsvFile) -> None:
    path = csv_file("a,b\n" + "".join(f"{i},{i * i}\n" for i in range(300_000)), "flows.csv.gz")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "is cut short: its compressed data does not end; copy it again" in str(refusal(path, NUMBERS))
    path.write_bytes(data[:-8] + b"\0\0\0\0" + data[-4:])
    assert re.search("cannot be read: CRC check failed", str(refusal(path, NUMBERS)))
    path.write_bytes(data[: len(data) // 2] + b"\xff" * 1000 + data[len(data) // 2 :])
    assert re.search("cannot be read: Error -3 while decompressing", str(refusal(path, NUMBERS)))


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([{}], dtype=object))
    for name in ("rows.npy", "rows.xlsx", "rows.csv.bz2"):
        (tmp_path / name).touch()
        expected = (
            f"{tmp_path / name} has a format that is not read; CSV (.csv, .tsv, .txt), JSON lines "
            "(.jsonl, .ndjson) and Zeek logs (.log), each also as .gz and .zip, and Parquet (.parquet) are"
        )
        assert str(refusal(tmp_path / name)) == expected


def test_a_binary_file_under_a_text_name_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.arange(3))
    (tmp_path / "rows.npy").rename(tmp_path / "rows.csv")
    assert refusal(tmp_path / "rows.csv").code in {"nul_byte", "bad_encoding"}


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    start = time.monotonic()
    assert str(refusal(tmp_path / "none.csv")) == f"{tmp_path / 'none.csv'}: there is no such file"
    assert "is a folder; give the path of a regular file" in str(refusal(tmp_path))
    assert "is a pipe" in str(refusal(tmp_path / "pipe.csv"))
    assert "is a device" in str(refusal(Path("/dev/zero")))
    assert "cannot be read: Too many levels of symbolic links" in str(refusal(tmp_path / "loop.csv"))
    assert time.monotonic() - start < 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(csv_file: CsvFile) -> None:
    path = csv_file("a\n1\n")
    path.chmod(0)
    assert "cannot be read: Permission denied" in str(refusal(path))


def test_files_with_other_columns_are_refused(csv_file: CsvFile, tmp_path: Path) -> None:
    first, second = csv_file("a,b\n1,2\n", "1.csv"), csv_file("a,c\n1,2\n", "2.csv")
    error = refusal([first, second])
    assert str(error) == f"{second} has other columns than {first}: it lacks ['b'] and also has ['c']"
    pq.write_table(pa.table({"a": [1], "b": [2]}), tmp_path / "3.parquet")
    assert "one is text and one is Parquet; give files of one format" in str(
        refusal([first, tmp_path / "3.parquet"])
    )


def test_parameters_are_checked(csv_file: CsvFile) -> None:
    path = csv_file("a,b\n1,2\n")
    files = TableFiles(path)
    with pytest.raises(InputError, match="has no column 'c'; it has 'a', 'b'"):
        files.batches(columns=["a", "c"])
    with pytest.raises(InputError, match="rows is 0; it must be at least 1"):
        files.batches(rows=0)
    with pytest.raises(InputError, match="no files were given"):
        TableFiles([])
    with pytest.raises(InputError, match="column 'a': the kind 'int' is none of number, datetime, text"):
        TableFiles(path, kinds={"a": "int"})  # type: ignore[dict-item]


# --- pyarrow's threads ---


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Whether anything still holds a stream that was lent."""
    lent: list[weakref.ref[Any]] = []

    class Watched(lending._Lent):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            lent.append(weakref.ref(self))

    monkeypatch.setattr(lending, "_Lent", Watched)
    return lambda: not lent or any(reference() is not None for reference in lent)


@pytest.mark.parametrize("fault", [b"", b"1,\xe9\n", b"1\n", b'1,"2\n', b"a,b\n"])
@pytest.mark.parametrize("rows", [0, 5000])
def test_no_thread_of_pyarrow_holds_anything_of_pythons_after_a_reading(
    csv_file: CsvFile, held: Callable[[], bool], fault: bytes, rows: int
) -> None:
    path = csv_file(b"a,b\n" + b"1,2\n" * rows + fault + b"1,2\n")
    kept = []  # with their tracebacks, which hold the frames that they came through
    for _ in range(20):
        try:
            TableFiles(path).read()
        except InputError as error:
            kept.append(error)
        assert not held()


def test_batches_that_somebody_left_are_closed_before_python_ends(
    csv_file: CsvFile, held: Callable[[], bool]
) -> None:
    batches = TableFiles(csv_file("a,b\n" + "1,2\n" * 5000)).batches(rows=10)
    next(batches)
    assert held()
    lending._close_unfinished()  # as atexit does
    assert not held()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<!DOCTYPE html><table>\n<td>1</td>\n", "begins with '<', as HTML and XML do"),
        ('[{"a": 1}]\n', "as JSON does"),
        (b"PK\x03\x04rest", "is not a complete zip archive"),
        (b"SQLite format 3\x00", "is an SQLite database"),
        ("# made by a logger\na,b\n1,2\n", "which is not a header: remove that line"),
        ("sep=;\na;b\n1;2\n", "which is not a header: remove that line"),
        ("a\\b\\c\n1\\2\\3\n", "separated by '\\\\'"),
    ],
)
def test_what_is_no_csv_is_named(csv_file: CsvFile, content: str | bytes, reason: str) -> None:
    assert reason in str(refusal(csv_file(content)))
