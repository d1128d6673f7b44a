"""A landed file of a contract table, read as text and typed cell by cell.

pandas carries each file as a table of text; the csv module finds the rows, because
only it knows on which line a row begins when cells hold line breaks.
"""

import csv
import difflib
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet

from orchestration.contract_specs import (
    BOOLEAN,
    DATE,
    TEXT,
    WHOLE,
    Column,
    ColumnType,
    TableSpec,
)
from orchestration.errors import BillingError
from orchestration.landed_files import LandedFile
from orchestration.readers.csv_lines import UnreadableFile, chunks

# An answer in SQL and in Python: 32-bit whole numbers.
_LARGEST_WHOLE = 2**31 - 1
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Columns that hold where a row stands, beside the table's own.
_LINE, _FIELDS = "#line", "#fields"


@dataclass(frozen=True)
class Problem:
    """Why a row is rejected: column (None: the whole row), value as written, reason."""

    column: str | None
    value: str | None
    reason: str


@dataclass(eq=False)
class Row:
    """A landed row: `values` typed (None: empty or unreadable), `text` as written.

    `line` is where the row begins in a CSV (the header is 1), its ordinal from 1 in a
    Parquet file. `is_known` says whether it was signed by the as-of day.
    """

    table: str
    source_file: str
    line: int
    text: dict[str, str | None]
    values: dict[str, Any]
    unreadable: set[str]
    problems: list[Problem] = field(default_factory=list)
    is_known: bool = True

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    @property
    def place(self) -> str:
        return f"{self.source_file} line {self.line}"

    def lacks(self, column: str) -> bool:
        """True where the cell is empty; one that cannot be read is told elsewhere."""
        return self.values[column] is None and column not in self.unreadable

    def problem(self, column: str | None, reason: str) -> Problem:
        return Problem(column, self.text.get(column) if column else None, reason)

    def key(self, columns: tuple[str, ...]) -> str:
        """Key columns joined by `|`, as written where a cell cannot be read."""
        return "|".join(self._canonical(column) for column in columns)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the values, the same however a number or default was written."""
        # Most cells are text: asked here, a call for each of them is saved.
        texts = [
            value if type(value) is str else self._canonical(column)
            for column, value in self.values.items()
        ]
        content = "\x1f".join(texts)
        return hashlib.sha256(content.encode()).hexdigest()

    def _canonical(self, column: str) -> str:
        value = self.values[column]
        if value is None:
            return self.text.get(column) or ""
        return value if isinstance(value, str) else _as_text(value)


def read_rows(file: LandedFile, spec: TableSpec) -> tuple[list[Row], list[str]]:
    """Every row of a file, typed, with the problems of its cells, and warnings.

    Raises BillingError, naming the file and what to do, where no row can be trusted:
    an unreadable file, another encoding, a header without a required column.
    """
    is_parquet = file.name.lower().endswith(".parquet")
    frame = _parquet(file, spec) if is_parquet else _csv(file)
    warnings = _check_header(file, spec, list(frame.columns))
    present = [name for name in spec.by_name if name in frame.columns]
    width = len(frame.columns) - 2
    cells = [frame[name].tolist() for name in present]
    typed = [
        _typed(frame[name], column) if name in frame.columns else [None] * len(frame)
        for name, column in spec.by_name.items()
    ]
    texts = zip(*cells, strict=True)
    values = zip(*typed, strict=True)
    defaults = [column for column in spec.columns if column.default is not None]
    rows = []
    for line, fields, written, read in zip(
        frame[_LINE].tolist(), frame[_FIELDS].tolist(), texts, values, strict=True
    ):
        text = dict(zip(present, written, strict=True))
        value = dict(zip(spec.by_name, read, strict=True))
        row = Row(spec.name, file.name, line, text, value, set())
        if fields != width:
            _ragged(row, spec, fields, width)
        else:
            _note_wrong_cells(row, spec)
            _apply_defaults(row, defaults)
        rows.append(row)
    return rows, warnings


def _note_wrong_cells(row: Row, spec: TableSpec) -> None:
    for column in spec.columns:
        value = row.values[column.name]
        if isinstance(value, Problem):
            row.unreadable.add(column.name)
            row.problems.append(value)
            row.values[column.name] = None
        elif value is None and column.required:
            row.problems.append(
                Problem(column.name, None, "is required but empty; fill it in")
            )


def _apply_defaults(row: Row, columns: list[Column]) -> None:
    for column in columns:
        if row.lacks(column.name):
            default = column.default
            value = default(row.values) if callable(default) else default
            scale = column.type.digits
            row.values[column.name] = Decimal(value) if scale else value


def _ragged(row: Row, spec: TableSpec, fields: int, width: int) -> None:
    """A row with too many or too few fields: no cell of it can be trusted."""
    row.values = dict.fromkeys(spec.by_name)
    row.unreadable = set(spec.by_name)
    row.problems.append(
        Problem(
            None,
            None,
            f"has {fields} fields where the header has {width}; put quotes around text "
            "that holds a comma, and leave empty fields in place",
        )
    )


def _typed(cells: pandas.Series, column: Column) -> list[Any]:
    """Values of a column, or a Problem; each distinct text is read once."""
    known = {text: _value(text, column) for text in cells.unique()}
    return [known[text] for text in cells]


def _value(text: str | None, column: Column) -> Any:
    if text is None:
        return None
    value, reason = _parse(text, column.type)
    if reason is None and column.allowed and value not in column.allowed:
        near = difflib.get_close_matches(text.lower(), column.allowed, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        reason = f"is not one of {', '.join(column.allowed)}{meant}"
    return value if reason is None else Problem(column.name, text, reason)


def _parse(text: str, type: ColumnType) -> tuple[Any, str | None]:
    """The typed value, or None and why the text is not of the type."""
    if type is TEXT:
        return text, None
    if type is BOOLEAN:
        if text.lower() in ("true", "false"):
            return text.lower() == "true", None
        return None, "is not true or false; write one of the two"
    if type is DATE:
        return _parse_date(text)
    if not _NUMBER.fullmatch(text):
        return None, (
            f"is not {type.words}; write plain digits with a point for decimals, "
            "without thousands separators, currency signs, exponents or blanks"
        )
    number = _without_trailing_zeros(Decimal(text))
    decimals = max(0, -number.as_tuple().exponent)
    if type is WHOLE:
        if decimals:
            return None, "is not a whole number; write it without decimals"
        if abs(number) > _LARGEST_WHOLE:
            return None, f"is too large; at most {_LARGEST_WHOLE} is taken"
        return int(number), None
    precision, scale = type.digits
    if decimals > scale:
        return None, (
            f"has {decimals} decimals, {type.words} has at most {scale} (U6); "
            "round it where it is kept"
        )
    if abs(number) >= 10 ** (precision - scale):
        return None, (
            f"is too large; {type.words} has at most {precision - scale} digits "
            "before the point"
        )
    return number, None


def _parse_date(text: str) -> tuple[date | None, str | None]:
    reason = "is not a date; write it as YYYY-MM-DD, such as 2026-03-31"
    if not _DATE.fullmatch(text):
        return None, reason
    try:
        return date.fromisoformat(text), None
    except ValueError:
        return None, reason


def _without_trailing_zeros(number: Decimal) -> Decimal:
    if not number:
        return Decimal(0)
    sign, digits, exponent = number.as_tuple()
    while exponent < 0 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return Decimal((sign, digits, exponent))


# Typed: True, 1 and 1.0 are equal and written differently.
@lru_cache(maxsize=2**16, typed=True)
def _as_text(value: date | bool | int | Decimal) -> str:
    """A value in the one way that equal ones are written; few of a book differ."""
    return format(value.normalize(), "f") if _is_decimal(value) else str(value)


def _is_decimal(value: Any) -> bool:
    return isinstance(value, Decimal)


def _check_header(file: LandedFile, spec: TableSpec, header: list[str]) -> list[str]:
    """Warnings of columns that look misspelt; an error for a required one missing."""
    unknown = [name for name in header[:-2] if name not in spec.by_name]
    warnings = []
    for column in spec.columns:
        if column.name in header:
            continue
        near = difflib.get_close_matches(column.name, unknown, n=1, cutoff=0.8)
        if column.required:
            meant = f" Did you mean it by {near[0]!r}?" if near else ""
            raise BillingError(
                f"{file.name} has no column {column.name}, which {spec.name} requires."
                f"{meant} Add it to the header and to every row."
            )
        if near:
            warnings.append(
                f"{file.name}: column {near[0]!r} is not read. "
                f"Did you mean {column.name}?"
            )
    return warnings


def _csv(file: LandedFile) -> pandas.DataFrame:
    """A CSV as text, empty cells None, with each row's line and number of fields."""
    text = _text(file)
    try:
        records = list(_records(text))
    except csv.Error as error:
        raise BillingError(
            f"{file.name} is not a readable CSV: {error}. Check its quotes: a quote "
            'inside a quoted text is written twice ("").'
        ) from error
    if not records:
        raise BillingError(
            f"{file.name} is empty. It must have a header row; write one, or take the "
            "file away."
        )
    (_, header), *body = records
    _check_names(file, header)
    width = len(header)
    frame = pandas.DataFrame(
        [
            [_cell(value) for value in (fields + [""] * width)[:width]]
            for _, fields in body
        ],
        columns=header,
        dtype=object,
    )
    frame[_LINE] = pandas.Series([line for line, _ in body], dtype="int64")
    frame[_FIELDS] = pandas.Series([len(fields) for _, fields in body], dtype="int64")
    return frame


def _text(file: LandedFile) -> str:
    try:
        content = b"".join(chunks(file.path))
    except UnreadableFile as error:
        raise BillingError(f"{file.name} {error}.") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BillingError(
            f"{file.name} line {line} is not UTF-8. Export the file again as UTF-8."
        ) from error


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line on which a record begins, and its fields; blank lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"the row that begins on line {line}: {error}") from error


def _cell(value: str) -> str | None:
    return value if value.strip() else None


def _check_names(file: LandedFile, header: list[str]) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise BillingError(
            f"{file.name} has the column {repeated[0]!r} more than once in its header. "
            "Keep one of them."
        )


def _parquet(file: LandedFile, spec: TableSpec) -> pandas.DataFrame:
    """A Parquet file as text, with each row's ordinal from 1."""
    try:
        table = pyarrow.parquet.ParquetFile(file.path).read()
        _check_names(file, table.column_names)
        frame = pandas.DataFrame(
            {
                name: pandas.Series(_texts(file, name, table[name]), dtype=object)
                if name in spec.by_name
                else None
                for name in table.column_names
            },
            index=range(table.num_rows),
        )
    except (OSError, UnicodeDecodeError, pyarrow.ArrowException) as error:
        raise BillingError(
            f"{file.name} is not a readable Parquet file ({type(error).__name__}). "
            "Land the file again, complete."
        ) from error
    frame[_LINE] = range(1, table.num_rows + 1)
    frame[_FIELDS] = table.num_columns
    return frame


def _texts(
    file: LandedFile, name: str, cells: pyarrow.ChunkedArray
) -> list[str | None]:
    if pyarrow.types.is_floating(cells.type) and cells.null_count < len(cells):
        raise BillingError(
            f"{file.name}: column {name} is stored as binary floating point, which "
            "cannot hold prices exactly. Store it as decimal, whole number or text."
        )
    return [_as_written(value) for value in cells.to_pylist()]


def _as_written(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if _is_decimal(value):
        return format(value, "f")
    if isinstance(value, datetime) and value.time() == time() and not value.tzinfo:
        return value.date().isoformat()
    return _cell(str(value))
