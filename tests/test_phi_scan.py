"""How the scan for identifiers reads files, and recognises a value in any writing."""

import io
import zipfile
from datetime import date
from pathlib import Path

import duckdb
import pypdf
import pytest
from command_line import Command
from planted import JANE

from orchestration.home import Home
from orchestration.phi import identifiers as kinds
from orchestration.phi import landed
from orchestration.phi.identifiers import Wanted, words
from orchestration.phi.written import texts_of


def test_documents_are_looked_into(tmp_path: Path) -> None:
    wanted = Wanted(set(words(f"{JANE} attached")))
    wanted.add(kinds.NAME, JANE)

    def pieces(path: Path) -> list[str]:
        return [
            piece.place
            for piece in texts_of(path, path.name)
            if wanted.found(piece.text)
        ]

    document = pypdf.PdfWriter()
    document.add_blank_page(100, 100)
    document.add_metadata({"/Title": "nobody"})
    document.add_attachment("invoice.xml", f"<name>{JANE}</name>".encode())
    document.write(tmp_path / "invoice.pdf")
    assert pieces(tmp_path / "invoice.pdf") == ["invoice.pdf, invoice.xml"]

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{JANE}</t>")
    (tmp_path / "finance.xlsx").write_bytes(content.getvalue())
    assert pieces(tmp_path / "finance.xlsx") == ["finance.xlsx, xl/sharedStrings.xml"]

    with duckdb.connect(str(tmp_path / "billing.duckdb")) as connection:
        connection.execute("create schema finance; create table finance.t (n varchar)")
        connection.execute("insert into finance.t values ($1)", [JANE.upper()])
    assert pieces(tmp_path / "billing.duckdb") == ["billing.duckdb, finance.t.n"]


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (kinds.NAME, "Ann Ng", "NG^ANN"),
        (kinds.BORN, "1951-07-13", "born 19510713"),
        (kinds.BORN, "19510713", "1951-07-13T00:00:00"),
        (kinds.BORN, "07/13/1951", "1951-07-13"),
        (kinds.SSN, "512-44-7001", "512447001"),
        (kinds.SSN, "512447001", "512-44-7001"),
    ],
)
def test_a_value_is_found_however_it_is_written(
    kind: str, value: str, told: str
) -> None:
    wanted = Wanted(set(words(told)))
    wanted.add(kind, value, date(2026, 1, 1))
    assert wanted.found(told)


def test_what_cant_be_told_from_a_bill_is_said_not_looked_for() -> None:
    wanted = Wanted(set(words("2026-01-02 1250 final Price")))
    wanted.add(kinds.BORN, "2026-01-02", date(2026, 1, 1))  # a newborn's
    wanted.add(kinds.PATIENT, "1250")
    assert wanted.looked_for == 0 and wanted.too_short == 2
    wanted.add(kinds.NAME, "Price")
    assert wanted.forget(["unit price"]) == 1
    assert not wanted.found("2026-01-02 1250 final Price")


def test_a_file_of_any_kind_gives_its_identifiers(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select 'Jane Example' as patient_name, 'north' as facility) "
            f"to '{path}' (format parquet)"
        )
    found = set(landed.identifiers(path))
    assert (kinds.NAME, "Jane Example") in found


def test_a_place_that_isnt_there_is_not_scanned(
    billing: Command, tmp_path: Path
) -> None:
    none, home = tmp_path / "none", Home(tmp_path / "home")
    told = billing("phi-scan", "--home", none)
    assert told.status == 2
    assert f"--home {none}: nothing was billed there" in told.err
    home.create()
    for option in ("--also", "--landing"):
        told = billing("phi-scan", "--home", home.path, option, none)
        assert told.status == 2
        assert f"{option} {none}: " in told.err
    assert not none.exists()


def test_a_scan_for_nothing_says_so(billing: Command, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    told = billing("phi-scan", "--home", home.path)
    assert told.status == 0
    assert "There was nothing to look for" in told.out
    assert "Nothing that looks like a patient's was found" in told.out
    assert "Nothing of a patient" not in told.out
