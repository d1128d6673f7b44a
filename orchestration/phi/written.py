"""Everything the project wrote, as text: databases by column, documents unpacked.

The restricted schema is where identifiers belong and is left out; keys are no writing.
"""

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orchestration.database import attach, connect, prepare, quoted
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.phi.identifiers import APART
from orchestration.whole import identifier

if TYPE_CHECKING:
    import pypdf

_CHUNK = 4 << 20
_OVERLAP = 1 << 10
_BATCH = 50_000
_BETWEEN = f"\n{APART}\n"
_ZIPS = (".xlsx", ".zip", ".docx", ".ods")
_DATABASE = b"DUCK"
# Of types other than these nothing can name a person.
_PLAIN_TYPES = (
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT"),
    *("USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "TIME"),
)
_RESTRICTED = "restricted"


@dataclass(frozen=True)
class Written:
    """A piece of what was written; `is_binary`: it may be noise."""

    place: str
    text: str
    is_binary: bool = False


def written(
    home: Home, also: Sequence[Path], unread: Callable[[str], None]
) -> Iterator[Written]:
    """All of a home and of the files and folders beside; `unread` is told a place.

    A file that is gone before it is opened was a passing one.
    """
    for path in _files(home.path):
        # The two are looked into by column, with their keys.
        if path.parent != home.keys and path not in (home.ledger, home.warehouse):
            yield from _of_file(path, path.relative_to(home.path).as_posix(), unread)
    for top in also:
        for path in _files(top):
            yield from _of_file(path, str(path), unread)
    yield from _of_databases(home)


def texts_of(path: Path, place: str) -> Iterator[Written]:
    """The pieces of one file. Raises what can't be read."""
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:12] == _DATABASE and not _is_encrypted(path):
        yield from _of_plain_database(path, place)
    elif path.suffix == ".pdf":
        yield from _of_pdf(path, place)
    elif path.suffix in _ZIPS:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                yield Written(place, member)
                yield from _of_stream(
                    io.BytesIO(archive.read(member)), f"{place}, {member}"
                )
    elif start.startswith(b"\x1f\x8b"):
        with gzip.open(path) as stream:
            yield from _of_stream(stream, place)
    else:
        with path.open("rb") as stream:
            yield from _of_stream(stream, place)


def _files(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
    elif top.is_dir():
        yield from sorted(path for path in top.rglob("*") if path.is_file())


def _of_file(
    path: Path, place: str, unread: Callable[[str], None]
) -> Iterator[Written]:
    folder = Path(place).parent.as_posix()
    yield Written(f"the name of a file in {folder}/", place)
    try:
        yield from texts_of(path, place)
    except FileNotFoundError:
        return
    except (
        OSError,
        EOFError,
        zipfile.BadZipFile,
        duckdb.Error,
    ) as error:
        unread(f"{place} ({type(error).__name__})")


def _of_stream(stream: io.BufferedIOBase, place: str) -> Iterator[Written]:
    before = b""
    while chunk := stream.read(_CHUNK):
        content = before + chunk
        text = content.decode("utf-8", errors="replace")
        is_binary = b"\0" in content or text.count("\ufffd") * 20 > len(text)
        yield Written(place, text, is_binary)
        before = content[-_OVERLAP:]


def _of_pdf(path: Path, place: str) -> Iterator[Written]:
    # Not at the top: where there are no documents it need not be loaded.
    import pypdf
    import pypdf.errors

    try:
        yield from _of_document(pypdf.PdfReader(path), place)
    except pypdf.errors.PyPdfError:
        raise EOFError from None


def _of_document(document: "pypdf.PdfReader", place: str) -> Iterator[Written]:
    for page in document.pages:
        yield Written(place, page.extract_text())
    for value in (document.metadata or {}).values():
        yield Written(place, str(value))
    for name, contents in document.attachments.items():
        yield Written(place, name)
        for content in contents:
            yield Written(f"{place}, {name}", content.decode("utf-8", errors="replace"))


def _of_plain_database(path: Path, place: str) -> Iterator[Written]:
    with connect() as connection:
        connection.execute("set temp_directory = ''")
        connection.execute(f"attach {quoted(path)} as opened (read_only)")
        yield from _of_tables(connection, "opened", place)


def _of_databases(home: Home) -> Iterator[Written]:
    """What the encrypted files hold outside the restricted schema.

    Both must know usage files by name, whatever those tell: there nobody looks.
    """
    for path, name in ((home.ledger, "ledger"), (home.warehouse, "warehouse")):
        if not path.exists():
            continue
        with connect() as connection:
            prepare(connection, home)
            attach(connection, path, name, getattr(Keys.of(home), name), read_only=True)
            yield from _of_tables(connection, name, path.name, names_files=True)


def _of_tables(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    place: str,
    names_files: bool = False,
) -> Iterator[Written]:
    columns = connection.execute(
        "select columns.schema_name, columns.table_name, columns.column_name, "
        "columns.data_type from duckdb_columns() as columns "
        "semi join duckdb_tables() as tables on columns.table_oid = tables.table_oid "
        "and columns.database_name = tables.database_name "
        "where columns.database_name = $1 and columns.schema_name <> $2 order by all",
        [database, _RESTRICTED],
    ).fetchall()
    for schema, table, column, kind in columns:
        if kind in _PLAIN_TYPES or kind.startswith("DECIMAL"):
            continue
        if names_files and (column == "source_file" or table == "issue_inputs"):
            continue
        where = f"{place}, {schema}.{table}.{column}"
        yield Written(f"{place}, the name of a column", f"{table} {column}")
        result = connection.execute(
            f"select distinct cast({identifier(column)} as varchar) "
            f"from {database}.{identifier(schema)}.{identifier(table)}"
        )
        while rows := result.fetchmany(_BATCH):
            text = _BETWEEN.join(value for (value,) in rows if value is not None)
            yield Written(where, text)


def _is_encrypted(path: Path) -> bool:
    with connect() as connection:
        try:
            connection.execute(f"attach {quoted(path)} as tried (read_only)")
        except duckdb.Error as error:
            if "encrypt" in str(error).lower():
                return True
            raise BillingError(
                f"{path} can't be opened to look into it; close it elsewhere and "
                "scan again"
            ) from None
    return False
