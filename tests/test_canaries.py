"""What a patient could be told by is planted, and looked for in all that is written."""

import duckdb
from conftest import BilledBook
from scenarios import CANARY


def test_no_file_of_the_home_holds_a_planted_identifier(
    billed_book: BilledBook,
) -> None:
    planted = {
        path.suffix
        for path in billed_book.landing.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    }
    assert planted == {".csv", ".ndjson", ".json", ".hl7"}, (
        "all formats must be planted"
    )
    told = [
        path.relative_to(billed_book.home).as_posix()
        for path in billed_book.home.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert told == []


def test_no_published_value_holds_a_planted_identifier(
    billed_book: BilledBook,
) -> None:
    # Bytes of a DuckDB file may be compressed, so every value is looked at as well.
    publication = str(billed_book.home / "published" / "billing.duckdb")
    with duckdb.connect(publication, read_only=True) as connection:
        tables = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
        ).fetchall()
        assert ("quality.rejected_usage",) in tables
        for (table,) in tables:
            hits = connection.execute(
                f"select count(*) from {table} as t where t::varchar like $1",
                [f"%{CANARY}%"],
            ).fetchone()
            assert hits == (0,), table


def test_the_warehouse_keeps_tokens_not_patients(billed_book: BilledBook) -> None:
    from orchestration.home import Home
    from orchestration.keys import Keys
    from orchestration.warehouse import open_files

    home = Home(billed_book.home)
    with open_files(home, Keys.of(home), read_only=True) as connection:
        patients = connection.execute(
            "select count(*), count(patient_token), "
            "count(*) filter (patient_token similar to '[0-9a-f]{64}'), "
            "count(*) filter (usage_rows::varchar like '%PATIENT%') "
            "from restricted.usage_rows"
        ).fetchone()
    rows, with_token, well_formed, as_sent = patients
    assert 0 < with_token < rows
    assert well_formed == with_token
    assert as_sent == 0
