"""JSON lines, Zeek logs, zip archives, other delimiters and decimal signs, further words that mean missing."""

import gzip
import io
import json
import resource
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alarmnet.data_files import Reading, TableFiles
from alarmnet.errors import AlarmnetWarning, InputError
from alarmnet.preprocessing import TableEncoder

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path: Path, **reading: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = TableFiles(path, reading=Reading(**reading)).read().to_pydict()
    return found


def refused(path: Path, columns: list[str] | None = None, **reading: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        TableFiles(path, reading=Reading(**reading)).read(columns)
    return caught.value


def zipped(**members: str | bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


# --- JSON lines ---


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson.gz", "t"])
def test_json_lines_are_read_and_absent_keys_are_missing(write: Write, name: str) -> None:
    text = '{"n": 1, "s": "a", "b": true}\n\n{"s": "b", "n": 2.50}\r\n{"n": null, "late": "x"}'
    path = write(name, gzip.compress(text.encode()) if name.endswith("gz") else text)
    assert read(path) == {
        "n": [1.0, 2.5, None],
        "s": ["a", "b", None],
        "b": ["true", None, None],
        "late": [None, None, "x"],
    }


def test_json_numbers_keep_their_digits(write: Write) -> None:
    path = write("t.jsonl", '{"id": 12345678901234567890, "x": 1.10}\n')
    assert TableFiles(path, kinds={"id": "text", "x": "text"}).read().to_pylist() == [
        {"id": "12345678901234567890", "x": "1.10"}
    ]


def test_json_lines_come_in_batches_of_one_size(write: Write) -> None:
    path = write("t.jsonl", "".join(json.dumps({"a": i}) + "\n" for i in range(40_000)))
    sizes = [len(batch.table) for batch in TableFiles(path).batches(rows=15_000)]
    assert sizes == [15_000, 15_000, 10_000]
    assert TableFiles(path).read()["a"].to_pylist() == list(range(40_000))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1}\n{"a": \n', "line 2 is no JSON"),
        ('{"a": 1}\n{"a": 2} {"a": 3}\n', "line 2 is no JSON (Extra data"),
        ('{"a": 1}\n[2]\n', "line 2 holds a JSON list; JSON lines have one whole object"),
        ('[\n{"a": 1}\n]\n', "line 1 begins a JSON list; JSON lines have one"),
        ('{"a": 1}\n2\n', "line 2 holds no JSON object"),
        ('{\n  "a": 1\n}\n', "line 1 is no JSON"),
        ("{}\n", "holds no value"),
        ('{"a": 1}\n{"a": "x\\uD800y"}\n', "line 2 holds half a character"),
        ('{"a\\udc00": 1}\n', "line 1 holds half a character"),
        ('{"a": 1}\n' + '{"a":' * 100_000, "line 2 is no JSON"),
        ('{"a": 1, "a": 2}\n', "names columns more than once: 'a'"),
    ],
)
def test_what_are_no_json_lines_is_refused_with_its_line(write: Write, text: str, sentence: str) -> None:
    assert sentence in str(refused(write("t.jsonl", text)))


def test_json_lists_are_refused_where_they_are_read(write: Write) -> None:
    path = write("t.jsonl", '{"a": 1, "tags": []}\n{"a": 2, "tags": ["x"]}\n')
    error = refused(path)
    assert (error.code, error.column) == ("column_type", "tags")
    assert TableFiles(path).read(["a"]).to_pydict() == {"a": [1, 2]}


def test_a_bad_json_cell_is_refused_with_its_line(write: Write) -> None:
    path = write("t.jsonl", '{"a": 1}\n\n{"a": "ten"}\n')
    with pytest.raises(InputError, match="line 3, column 'a': 'ten' is not a number"):
        TableFiles(path, kinds={"a": "number"}).read()


# --- Zeek logs ---

ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tid.orig_p\tservice\tlocal\n#types\ttime\tport\tstring\tbool\n"
    "1331901000.5\t80\t-\tT\n1331901001.0\t-\tdns\tF\n#close\t2012-03-16-13-00-00\n"
)


@pytest.mark.parametrize("name", ["conn.log", "conn.log.gz", "conn.log.zip"])
def test_zeek_logs_are_read_as_their_first_lines_say(write: Write, name: str) -> None:
    packed = {"gz": gzip.compress(ZEEK.encode()), "zip": zipped(**{"conn.log": ZEEK})}
    path = write(name, packed.get(name.split(".")[-1], ZEEK.encode()))
    assert read(path) == {
        "ts": [1331901000.5, 1331901001.0],
        "id.orig_p": [80.0, None],
        "service": [None, "dns"],
        "local": ["true", "false"],
    }


def test_zeek_logs_may_be_joined(write: Write) -> None:
    assert len(read(write("conn.log", ZEEK + ZEEK))["ts"]) == 4


@pytest.mark.parametrize(
    ("text", "code", "sentence"),
    [
        (ZEEK + ZEEK.replace("service", "proto"), "columns_differ", "changes its #fields at line 16"),
        (ZEEK.replace("80\t-", "80"), "ragged_row", "line 8 has 3 cells where #fields names 4"),
        (ZEEK.replace("#types\ttime", "#types"), "zeek_log", "4 #fields and 3 #types"),
        ("#separator \\x09\n1\t2\n", "zeek_log", "0 #fields"),
        (ZEEK.replace("service", "ts"), "duplicate_columns", "'ts'"),
    ],
)
def test_zeek_logs_that_are_not_whole_are_refused(write: Write, text: str, code: str, sentence: str) -> None:
    error = refused(write("conn.log", text))
    assert error.code == code
    assert sentence in str(error)


# --- zip archives ---


def test_the_one_table_of_a_zip_archive_is_read(write: Write) -> None:
    path = write("t.zip", zipped(**{"x/t.csv": "a,b\n1,x\n", "__MACOSX/x/._t.csv": "junk", "x/": ""}))
    assert read(path) == {"a": [1], "b": ["x"]}


def parquet_bytes() -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), data)
    return data.getvalue()


def damaged_zip() -> bytes:
    data = bytearray(zipped(**{"a.csv": "a\n1\n" * 999}))
    data[40] ^= 0xFF
    return bytes(data)


ARCHIVES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "two tables": (
        lambda: zipped(**{"a.csv": "a\n1\n", "b.csv": "a\n1\n"}),
        "archive",
        "holds 2 files (a.csv, b.csv)",
    ),
    "only a folder": (lambda: zipped(**{"x/": b""}), "archive", "holds no file"),
    "workbook": (
        lambda: zipped(**{"[Content_Types].xml": "<x/>", "b": ""}),
        "unknown_format",
        "is an Excel workbook",
    ),
    "truncated": (
        lambda: zipped(**{"a.csv": "a\n1\n" * 99})[:-30],
        "truncated_file",
        "is not a complete zip archive",
    ),
    "damaged": (damaged_zip, "unreadable", "cannot be read"),
    "archive in an archive": (
        lambda: zipped(**{"a.zip": zipped(b="1")}),
        "unknown_format",
        "unpack it first",
    ),
    "Parquet": (lambda: zipped(**{"a.parquet": parquet_bytes()}), "unknown_format", "unpack it first"),
    "bomb of zeros": (lambda: zipped(**{"a.csv": bytes(1 << 27)}), "long_line", "longer than 1 MiB"),
    "bomb of one line": (
        lambda: zipped(**{"a.csv": b"a\n" + b"1" * (1 << 27)}),
        "long_line",
        "longer than 8 MiB",
    ),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_other_archives_are_refused(write: Write, name: str) -> None:
    content, code, sentence = ARCHIVES[name]
    path = write("t.zip", content())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    error = refused(path)
    assert error.code == code
    assert sentence in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


# --- delimiters and decimal signs ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a|b\n1|x\n", "read with the delimiter '|'"),
        ("a b c\n1 x 2\n3 y 4\n", "read with the delimiter ' '"),
        ("a;b\n1,5;x\n", "read with the decimal sign ','"),
        ("a|b\n1,5|x\n", "read with the delimiter '|' and the decimal sign ','"),
    ],
)
def test_unusual_marks_are_found_out_and_said(write: Write, text: str, said: str) -> None:
    path = write("t.csv", text)
    with pytest.warns(AlarmnetWarning, match=said.replace("|", r"\|")):
        found = read(path)
    assert found["a"][0] in (1, 1.5)
    assert found["b"][0] == "x"


@pytest.mark.parametrize(
    "text",
    [
        "full name\nJohn Smith\nJane Doe\n",  # one column of text
        "a b\n1 2\n",  # a single row says nothing
        "a;b\n1,234;1.5\n",  # points are decimal signs here
        "a;b\n1,234;5\n",  # may be thousands
        'a;b\n"x,1";5\n',
    ],
)
def test_doubtful_marks_are_not_guessed(write: Write, text: str) -> None:
    TableFiles(write("t.csv", text)).read()


def test_points_that_may_separate_thousands_are_warned_of(write: Write) -> None:
    text = "a;b\n1.234;x\n7;y\n"
    with pytest.warns(AlarmnetWarning, match=r"such as 1\.234 are read with a decimal point. .* say Reading"):
        assert read(write("1.csv", text))["a"] == [1.234, 7]
    assert read(write("2.csv", text), decimal=",")["a"] == [1234, 7]
    assert read(write("3.csv", text), decimal=".")["a"] == [1.234, 7]
    for sure in ("0.123", "1.5", "1.2345", "1.5e3"):
        assert read(write("4.csv", f"{text}{sure};z\n"))["a"][0] == 1.234


def test_codes_with_leading_zeros_are_named(write: Write) -> None:
    path = write("t.csv", "zip,n,id,t\n00501,0,007,01\n2,0.5,x,\n, 00 ,012,1\n")
    with pytest.warns(
        AlarmnetWarning, match=r"as codes do: 'zip' \('00501'\), 'n' \('00'\), 't' \('01'\)\. If"
    ):
        TableFiles(path).read()
    TableFiles(path, kinds=dict.fromkeys(("zip", "n", "t"), "number")).read()  # known from training
    TableFiles(write("u.csv", "a,b\n0,0.5\n10,00.5\n")).read()


def test_marks_that_are_given_are_taken(write: Write) -> None:
    assert read(write("1.csv", "a:b\n1:x\n"), delimiter=":") == {"a": [1], "b": ["x"]}
    assert read(write("2.csv", "a,b\t1\n2,5\tx\n"), delimiter="tab", decimal=",") == {
        "a,b": [2.5],
        "1": ["x"],
    }
    assert read(write("3.csv", 'a,b\n"1,5",x\n'), decimal=",") == {"a": [1.5], "b": ["x"]}
    assert read(write("4.csv", "a;b\n1,5;2\n"), decimal=".") == {"a": ["1,5"], "b": [2]}


def test_a_decimal_comma_allows_points_between_thousands_alone(write: Write) -> None:
    path = write("t.csv", "a;b;c\n1.234,5;-,5;x\n 7 ;1e3;1.5\n1.234.567;NA;2,5\n")
    assert read(path, decimal=",") == {
        "a": [1234.5, 7, 1234567],
        "b": [-0.5, 1000, None],
        "c": ["x", "1.5", "2,5"],
    }
    with pytest.raises(
        InputError, match=r"line 2, column 'a': '0\.5' is not a number with a decimal comma"
    ) as caught:
        TableFiles(write("2.csv", "a\n0.5\n"), kinds={"a": "number"}, reading=Reading(decimal=",")).read()
    assert caught.value.code == "bad_cell"


def test_a_decimal_point_that_is_asked_for_makes_commas_separate_thousands(write: Write) -> None:
    path = write("t.csv", 'a,b\n"8,448","8,448"\n950,"1,5"\n"-1,000 ",x\n"12,34,567.5",\nNA,\n')
    found = read(path, decimal=".")
    assert found == {"a": [8448, 950, -1000, 1234567.5, None], "b": ["8,448", "1,5", "x", None, None]}
    assert read(path)["a"][0] == "8,448"
    with pytest.raises(InputError, match=r"where all separate thousands, Reading") as caught:
        TableFiles(path, kinds={"a": "number", "b": "text"}).read()
    assert caught.value.code == "decimal_comma"
    with pytest.raises(InputError, match=r"commas between thousands; say Reading"):
        TableFiles(write("u.csv", 'a\n"12,345.5"\n'), kinds={"a": "number"}).read()
    doubtful = pd.DataFrame({"a": ["8,448", "950"]})
    with pytest.raises(
        InputError, match=r"which may be 8\.448 or 8448 \(it is the latter in files read with"
    ):
        TableEncoder().fit(doubtful)
    with pytest.raises(InputError, match=r"which may be \$8\.448 or \$8448\. Write them"):
        TableEncoder().fit("$" + doubtful)


def test_points_beside_decimal_commas_are_refused_before_anything_is_learned(write: Write) -> None:
    """Else the column would be text, and who learns from it would read the points as decimal signs."""
    paths = [write("1.csv", "a;b\n7.856;1,5\nNA;2,5\n"), write("2.csv", "a;b\n1.123;2,5\n0.42;1,5\n")]
    with pytest.raises(
        InputError, match=r"2\.csv line 3, column 'a': '0\.42' is not a number with a decimal"
    ) as caught:
        TableFiles(paths, reading=Reading(decimal=",")).read()
    assert (caught.value.code, caught.value.column, caught.value.rows) == ("bad_cell", "a", (3,))
    known = TableFiles(paths, kinds={"a": "text"}, reading=Reading(decimal=",")).read()
    assert known["a"].to_pylist() == ["7.856", "NA", "1.123", "0.42"]


def test_files_of_one_table_share_the_decimal_sign(write: Write) -> None:
    paths = [write("1.csv", "a;b\n1.234;1\n"), write("2.csv", "a;b\n1,5;1\n")]
    with pytest.warns(AlarmnetWarning, match=r"2\.csv is read with the decimal sign"):
        assert TableFiles(paths).read()["a"].to_pylist() == [1234, 1.5]


def test_a_wrong_delimiter_is_refused(write: Write) -> None:
    error = refused(write("t.csv", "a,b\n1,2\n"), delimiter=";")
    assert error.code == "no_header"
    assert "seems to be several, separated by ','" in str(error)


def test_sparse_libsvm_files_are_refused(write: Write) -> None:
    error = refused(write("t.txt", "+1 3:0.5 7:1.25\n-1 1:1\n"))
    assert error.code == "unknown_format"
    assert "libsvm" in str(error)


@pytest.mark.parametrize(
    "bad",
    [
        {"delimiter": "ab"},
        {"delimiter": "é"},
        {"delimiter": '"'},
        {"decimal": ";"},
        {"delimiter": ",", "decimal": ","},
    ],
)
def test_marks_are_checked(bad: dict[str, str]) -> None:
    with pytest.raises(InputError, match="must be") as caught:
        Reading(**bad)
    assert caught.value.code == "invalid_parameter"


# --- further words that mean missing ---


def test_words_that_mean_missing_are_texts_and_equal_numbers(write: Write, tmp_path: Path) -> None:
    path = write("t.csv", "n,s,id\n-999.0,absent,-999\n1, absent ,2\n2,x,3\n")
    reading = Reading(missing=["-999", "absent"])
    expected = {"n": [None, 1, 2], "s": [None, None, "x"], "id": ["-999", "2", "3"]}
    assert TableFiles(path, kinds={"id": "text"}, reading=reading, ids=["id"]).read().to_pydict() == expected
    typed = pa.table({"n": [-999, 1, 2], "s": ["absent", None, "x"], "id": ["-999", "2", "3"]})
    pq.write_table(typed, tmp_path / "t.parquet")
    assert TableFiles(tmp_path / "t.parquet", reading=reading, ids=["id"]).read().to_pydict() == expected


def test_a_column_of_numbers_and_a_missing_word_is_one_of_numbers(write: Write) -> None:
    assert read(write("t.csv", "n\nabsent\n5\n"), missing=["absent"]) == {"n": [None, 5]}


def test_no_warning_without_a_guess(write: Write) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(write("t.csv", "a;b\n1.5;2\n"))
