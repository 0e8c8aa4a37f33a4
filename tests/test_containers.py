"""Columns of every type that pyarrow, pandas and polars have, listed by the libraries: new ones are tried too."""

import datetime
import itertools
import json
import re
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from pandas.core.dtypes import base as pandas_base

from alarmnet._shared.containers import decoded
from alarmnet._shared.labels import read_labels
from alarmnet.data_files import TableFiles, write_table
from alarmnet.errors import InputError
from alarmnet.preprocessing import TableEncoder
from alarmnet.preprocessing.frames import read_frame
from alarmnet.sources.labels import Labelling
from alarmnet.sources.tables import TableRows

pytestmark = pytest.mark.filterwarnings("ignore::alarmnet.errors.AlarmnetWarning")

N = 24
"""Rows, more than make a text of its own in every row an identifier."""
NULL_AT = (3, 11, 23)
DAY = datetime.datetime(2024, 1, 31, 6, 30, tzinfo=datetime.UTC)
TRIPLES: tuple[Sequence[Any], ...] = (
    tuple(DAY + datetime.timedelta(hours=7 * n) for n in range(3)),
    tuple(datetime.date(2024, 1, 29 + n) for n in range(3)),
    tuple(datetime.time(n, 30) for n in range(3)),
    tuple(datetime.timedelta(seconds=7 * n) for n in range(3)),
    (1, 2, 4),
    (0.5, 1.5, 4.0),
    (True, False, True),
    ("tcp", "udp", "icmp"),
    (Decimal("0.5"), Decimal("1.5"), Decimal("4.0")),
    (b"tcp", b"udp", b"icmp"),
    (b"tcp proto", b"udp proto", b"icm proto"),
    tuple(uuid.UUID(int=n).bytes for n in range(3)),
    ([1, 2], [3, 4], [5, 6]),
    ({"a": 1}, {"a": 2}, {"a": 4}),
    ([("a", 1)], [("b", 2)], [("c", 4)]),
    ([], [], []),
    tuple(pa.MonthDayNano([n, n, n]) for n in range(3)),
    tuple(pd.Interval(n, n + 1) for n in range(3)),
    tuple(pd.period_range("2024-01", periods=3, freq="M")),
    (None, None, None),
)
"""Three values of each kind, of which columns are made."""
CANNOT = (
    pa.ArrowException,
    pl.exceptions.PolarsError,
    *(TypeError, ValueError, OverflowError, AttributeError, NotImplementedError),
)


def repeated(values: Sequence[Any], *, nulls: bool) -> list[Any]:
    return [None if nulls and row in NULL_AT else values[row % 3] for row in range(N)]


def first_that_works(make: Callable[[list[Any]], Any], *, nulls: bool) -> Any:
    """What is made of the first values that a type takes; None if it takes none."""
    for values in TRIPLES:
        try:
            with warnings.catch_warnings(action="ignore"):
                return make(repeated(values, nulls=nulls))
        except CANNOT:
            continue
    return None


def made_by(makers: Iterable[Callable[..., Any]], *, of: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    for maker, arguments in itertools.product(makers, list(of)):
        try:
            made = maker(*arguments)
            assert str(made)
        except (*CANNOT, AssertionError):
            continue
        yield made


UNITS = ("s", "ms", "us", "ns")
ARROW_VALUES = (
    pa.string(),
    pa.int64(),
    pa.float16(),
    pa.bool_(),
    pa.date32(),
    pa.timestamp("ns", "UTC"),
    pa.duration("us"),
    pa.decimal128(7, 2),
    pa.binary(),
    pa.string_view(),
    pa.list_(pa.int64()),
    pa.null(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int8(), pa.date32()),
    pa.run_end_encoded(pa.int16(), pa.string()),
)
ARROW_ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (),
    *((unit,) for unit in UNITS),
    ("us", "UTC"),
    ("ns", "Asia/Kathmandu"),
    ("s", "+02:00"),
    (7, 2),
    (9,),
    (pa.int32(),),
    (pa.int64(), 2),
    (pa.string(), pa.int64()),
    (pa.int64(), (2,)),
    (pa.binary(16), "type", "vendor"),
    ([pa.field("a", pa.int64())],),
    *((pa.int16(), kind) for kind in ARROW_VALUES),
)


def arrow_types() -> list[pa.DataType]:
    """Every type that a factory of pyarrow makes of some of the arguments."""
    said = re.compile(r"create.* (type|list|variable-length)|: .*type$", re.IGNORECASE | re.MULTILINE)
    makers = [
        maker
        for name, maker in sorted(vars(pa).items())
        if type(maker).__name__ == "cython_function_or_method" and said.search(maker.__doc__ or "")
        if not re.match("infer|from_numpy|(un)?register|array|scalar|nulls|field", name)
    ]
    made = made_by(makers, of=ARROW_ARGUMENTS)
    return list(dict.fromkeys(kind for kind in made if isinstance(kind, pa.DataType)))


def arrow_array(values: list[Any], kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind):
        different = list({repr(value): value for value in values if value is not None}.values())
        places = [None if value is None else different.index(value) for value in values]
        return pa.DictionaryArray.from_arrays(
            pa.array(places, kind.index_type), arrow_array(different, kind.value_type)
        )
    if pa.types.is_run_end_encoded(kind):
        ends = pa.array(range(1, len(values) + 1), kind.run_end_type)
        return pa.RunEndEncodedArray.from_arrays(ends, arrow_array(values, kind.value_type))
    if pa.types.is_union(kind):
        types, inner = pa.array([0] * len(values), pa.int8()), [pa.array(values, pa.int64())]
        if kind.mode == "sparse":
            return pa.UnionArray.from_sparse(types, inner, ["a"])
        return pa.UnionArray.from_dense(types, pa.array(range(len(values)), pa.int32()), inner, ["a"])
    if pa.types.is_date64(kind):
        return pa.array(values, pa.date32()).cast(kind)  # else it would keep a time of day
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, arrow_array(values, kind.storage_type))
    return pa.array(values, kind)


def thirds(column: Any) -> list[Any]:
    return [column[:8], column[8:9], column[9:]]


def arrow_tables(kind: pa.DataType, *, nulls: bool) -> list[Any]:
    column = first_that_works(lambda values: arrow_array(values, kind), nulls=nulls)
    if column is None:
        return []
    return [pa.table({"x": part, "n": range(N)}) for part in (column, pa.chunked_array(thirds(column)))]


def pandas_types() -> list[Any]:
    arguments = [
        *ARROW_ARGUMENTS[:1],
        *((name,) for name in ("M", "int64", "datetime64[ns]", "python", "pyarrow", float)),
        *((unit, "Asia/Kathmandu") for unit in UNITS),
        ("python", np.nan),
        ("pyarrow", np.nan),
        *((kind,) for kind in arrow_types()),
    ]
    plain = ["O", "U", "f2", "f4", ">f8", "i1", "u8", *(f"{c}8[{unit}]" for c in "mM" for unit in UNITS)]
    registered: list[Any] = pandas_base._registry.dtypes  # type: ignore[attr-defined]
    return [*made_by(registered, of=arguments), *(np.dtype(name) for name in plain)]


def pandas_tables(kind: Any, *, nulls: bool) -> list[Any]:
    def make(values: list[Any]) -> Any:
        if isinstance(kind, pd.ArrowDtype):
            return pd.Series(pd.arrays.ArrowExtensionArray(arrow_array(values, kind.pyarrow_dtype)))
        return pd.Series(values, dtype=kind)

    column = first_that_works(make, nulls=nulls)
    if column is None:
        return []
    whole = pd.DataFrame({"x": column, "n": range(N)})
    return [whole, pd.concat(thirds(whole))]


def polars_types() -> list[Any]:
    def below(kind: Any) -> list[Any]:
        return [kind, *(found for sub in kind.__subclasses__() for found in below(sub))]

    arguments: list[tuple[Any, ...]] = [
        (),
        (["tcp", "udp", "icmp"],),
        *((unit,) for unit in UNITS[1:]),
        ("us", "Asia/Kathmandu"),
        (7, 2),
        (pl.Int64,),
        (pl.Int64, 2),
        ({"a": pl.Int64},),
        (pl.String, pl.Int64),
        ("name", pl.Int64),
    ]
    with warnings.catch_warnings(action="ignore"):
        return list(made_by(below(pl.DataType), of=arguments))


def polars_tables(kind: Any, *, nulls: bool) -> list[Any]:
    column = first_that_works(lambda values: pl.Series("x", values, dtype=kind), nulls=nulls)
    if column is None:
        return []
    whole = pl.DataFrame({"x": column, "n": range(N)})
    return [whole, pl.concat(thirds(whole), rechunk=False)]


def categorical_tables(values: Sequence[Any], *, nulls: bool) -> list[Any]:
    """Categories of anything, among them intervals as `pd.cut` makes them."""
    try:
        column = pd.Series(pd.Categorical(repeated(values, nulls=nulls)))
    except TypeError:
        return []
    whole = pd.DataFrame({"x": column, "n": range(N)})
    return [whole, pd.concat(thirds(whole))]


MAKERS: list[tuple[str, Callable[..., list[Any]], Any]] = [
    *(("arrow", arrow_tables, kind) for kind in arrow_types()),
    *(("pandas", pandas_tables, kind) for kind in pandas_types()),
    *(("polars", polars_tables, kind) for kind in polars_types()),
    *(("categorical", categorical_tables, values) for values in TRIPLES),
]
CASES = [
    pytest.param(make, kind, nulls, id=f"{library} {kind!s:.60} {'with' if nulls else 'without'} nulls")
    for library, make, kind in MAKERS
    for nulls in (False, True)
]


def reading(table: Any) -> Any:
    """What a table is read as, to the bit, or the code of its refusal."""
    try:
        encoder = TableEncoder().fit(table)
        encoded = encoder.transform(table)
    except InputError as error:
        return (
            f"{error.code} {error.column}"
            if f"{error.column!r}" in str(error) or error.code == "no_columns"
            else "does not name the column"
        )
    assert np.isfinite(encoded).all()
    return encoded.tobytes(), json.dumps(encoder.to_dict())


@pytest.mark.parametrize(("make", "kind", "nulls"), CASES)
def test_a_column_of_any_type_is_read_or_refused_alike_in_one_chunk_and_in_three(
    make: Callable[..., list[Any]], kind: Any, nulls: bool
) -> None:
    tables = make(kind, nulls=nulls)
    read = {str(reading(table)) for table in tables}
    assert len(read) <= 1
    assert "does not name the column" not in read
    for table in tables:
        rows = np.arange(N)[::-1].astype(np.intp)
        turned = read_frame(table).take(rows).take(rows)
        assert reading(turned) == reading(table)


@pytest.mark.parametrize(("make", "kind", "nulls"), CASES)
def test_labels_in_a_column_of_any_type_are_read_or_refused_alike_in_one_chunk_and_in_three(
    make: Callable[..., list[Any]], kind: Any, nulls: bool
) -> None:
    if nulls and "sparse_union" in str(kind) and int(pa.__version__.split(".")[0]) < 25:
        pytest.skip(
            "pyarrow before 25 gives the nulls of a sparse union differently in one chunk and in three"
        )
    read = []
    for table in make(kind, nulls=nulls):
        try:
            anomaly = table["x"][0]
            found = read_labels(
                table["x"], rows=N, anomaly_label=getattr(anomaly, "as_py", lambda a=anomaly: a)()
            )
            read.append(found.values.tobytes())
        except InputError as error:
            read.append(error.code.encode())
    assert len(set(read)) <= 1


def test_every_kind_of_type_that_arrow_has_is_tried() -> None:
    known = {getattr(pa.lib, name): name for name in dir(pa.lib) if re.match(r"Type_[A-Z]", name)}
    absent = {"Type_INTERVAL_MONTHS", "Type_INTERVAL_DAY_TIME"}
    if int(pa.__version__.split(".")[0]) < 19:
        absent.add("Type_RUN_END_ENCODED")  # none can be made of a list of values
    without_factory = {number for number, name in known.items() if name in absent}
    tried = {kind.id for kind in arrow_types() if arrow_tables(kind, nulls=False)}
    assert not {name for number, name in known.items() if number not in tried | without_factory}


@pytest.mark.parametrize(("make", "kind", "nulls"), CASES)
def test_equal_values_are_equal_bits_whatever_the_type(
    make: Callable[..., list[Any]], kind: Any, nulls: bool
) -> None:
    for table in make(kind, nulls=nulls):
        found, column = reading(table), table["x"]
        if isinstance(found, str):
            continue
        cells = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
        # pyarrow 21 and older read a pandas Timedelta in seconds as 0
        plain = pa.array(
            [cell.to_pytimedelta() if isinstance(cell, pd.Timedelta) else cell for cell in cells],
            from_pandas=True,
        )
        categories = make is categorical_tables or re.search("dictionary|category", str(kind))
        if categories and not pa.types.is_temporal(plain.type):
            plain = plain.dictionary_encode()
        if isinstance(kind, pl.Enum):  # a type with an order
            order = pa.array(kind.categories.to_list())
            plain = pa.DictionaryArray.from_arrays(pc.index_in(plain, order), order, ordered=True)
        assert reading(pa.table({"x": plain, "n": range(N)})) == found


@pytest.mark.parametrize("kind", [pa.string(), pa.float16()], ids=str)
def test_chunks_with_dictionaries_of_their_own_are_their_values(kind: pa.DataType) -> None:
    halves = [[str(n) for n in range(first, first + 100)] * 2 for first in (0, 100)]
    cells = [
        arrow_array([np.float16(n) if pa.types.is_float16(kind) else n for n in half], kind)
        for half in halves
    ]
    chunks = pa.chunked_array(
        [pa.DictionaryArray.from_arrays(pa.array([*range(100)] * 2, pa.int8()), half[:100]) for half in cells]
    )
    expected = pa.array([text for half in halves for text in half]).dictionary_encode()
    assert reading(pa.table({"x": chunks})) == reading(pa.table({"x": expected}))


@pytest.mark.parametrize("unit", UNITS)
def test_durations_as_objects_are_those_of_their_column(unit: Any) -> None:
    cells = [pd.Timedelta(seconds=7 * (row % 3)).as_unit(unit) for row in range(N)]
    objects = pd.DataFrame({"x": pd.Series([*cells[:-1], None], dtype=object)})
    plain = pa.table({"x": pa.array([*(cell.to_pytimedelta() for cell in cells[:-1]), None])})
    assert reading(objects) == reading(plain)


@pytest.mark.parametrize("kind", [pl.Object, pl.Int128, pl.UInt128])
def test_columns_of_polars_that_arrow_has_no_type_for_are_their_values(kind: Any) -> None:
    numbers = [row % 5 * 10**9 for row in range(N)]
    assert reading(pl.DataFrame({"x": pl.Series(numbers, dtype=kind)})) == reading(pa.table({"x": numbers}))


def test_times_and_durations_too_long_for_a_finer_unit_do_not_wrap_around() -> None:
    moments = [0, 2**53, -(2**53), 2**62]
    table = pa.table({"x": pa.array(moments, pa.duration("s"))})
    assert TableEncoder().fit(table).to_dict()["columns"][0]["high"] == 2.0**62


PARQUET = [kind for kind in arrow_types() if arrow_tables(kind, nulls=False)]


def in_parquet(kind: pa.DataType, nulls: bool, folder: Path) -> tuple[Path, pa.Table]:
    path, table = folder / "table.parquet", arrow_tables(kind, nulls=nulls)[1]
    try:
        pyarrow.parquet.write_table(table, path, row_group_size=7)
    except CANNOT:
        pytest.skip("Parquet cannot hold it")
    return path, table


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("kind", PARQUET, ids=str)
def test_parquet_files_are_read_as_the_tables_that_they_give(
    kind: pa.DataType, nulls: bool, tmp_path: Path
) -> None:
    path, table = in_parquet(kind, nulls, tmp_path)
    try:
        frame, _ = TableRows.to_train([path], None, ignored=()).to_learn()
        encoder = TableEncoder().fit(frame)
    except InputError:
        with pytest.raises(InputError):
            TableEncoder().fit(pyarrow.parquet.read_table(path))
        return
    again = pyarrow.parquet.read_table(path)
    assert reading(again) == (encoder.transform(frame).tobytes(), json.dumps(encoder.to_dict()))
    if not pa.types.is_dictionary(kind) or encoder.kinds_["x"] == "datetime":
        assert reading(again) == reading(table)


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("kind", PARQUET, ids=str)
def test_labels_and_ids_in_parquet_files_are_read_or_refused(
    kind: pa.DataType, nulls: bool, tmp_path: Path
) -> None:
    path, _ = in_parquet(kind, nulls, tmp_path)
    labelling = Labelling("x", ["tcp"], ["udp"])
    try:
        labels = TableRows.to_train([path], labelling, ignored=()).labels(labelling, given=())
        ids = decoded(TableFiles(path).read(["x"])[0])
        write_table(tmp_path / "ids.csv", [pa.table({"id": ids})])
    except InputError as error:
        assert error.column == "x"  # noqa: PT017 - most types are not refused
        return
    assert len(labels.values) == N == len((tmp_path / "ids.csv").read_text().splitlines()) - 1


def test_a_time_that_python_has_not_is_named_all_the_same() -> None:
    far = np.array(["300000-01-01"] * N, "M8[s]")
    encoder = TableEncoder().fit(pd.DataFrame({"x": np.arange(N) % 7}))
    with pytest.raises(InputError, match="9404918380800"):
        encoder.transform(pd.DataFrame({"x": far}))
    assert reading(pd.DataFrame({"x": far, "n": np.arange(N) % 7})) != "wrong_type"


@pytest.mark.parametrize("odd", [np.array([1, 2]), pd.Series([1, 2]), [1], {"a": 1}, 1j])
def test_objects_of_any_kind_in_a_column_are_refused(odd: Any) -> None:
    cells = np.array([None] * N, dtype=object)
    cells[::2] = "web"
    encoder = TableEncoder().fit(pd.DataFrame({"x": cells}))
    cells[1] = odd
    for refusing in (encoder.transform, TableEncoder(categories={"x": ["web"]}).fit):
        with pytest.raises(InputError, match="'x'"):
            refusing(pd.DataFrame({"x": cells}))


def test_record_batches_keep_their_names() -> None:
    table = pa.table({"a": np.arange(N) % 7, "b": np.arange(N) % 5})
    batch = table.to_batches()[0]
    encoder = TableEncoder().fit(batch)
    assert encoder.columns_ == ("a", "b")
    np.testing.assert_array_equal(encoder.transform(batch.select(["b", "a"])), encoder.transform(table))
    with pytest.raises(InputError, match=r"pass X\.read_all"):
        encoder.transform(pa.RecordBatchReader.from_batches(batch.schema, [batch]))
