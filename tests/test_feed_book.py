"""Feeds of documents billed in the shared book, amounts worked by hand."""

from decimal import Decimal as D

from conftest import BilledBook, Close

JANUARY = ("01-01", "01-31", None)
FEBRUARY = ("02-01", "02-28", None)


def _rows(close: Close, feed: str) -> list[tuple]:
    return close.rows(
        "select rows_read, known, not_yet_known, unreadable "
        "from quality.intake_files where feed = $1 order by all",
        feed,
    )


def test_messages_are_billed_and_merges_and_cancellations_given_back_UE_12(
    billed_book: BilledBook,
) -> None:
    # Visits V1, V2 and V3 of three patients; charges of 2 and 1 units at 2.
    first = billed_book.closes[1]
    assert first.lines("adt", "2026-02-01") == [
        (*JANUARY, D(3), D(3), D(9), ""),
        (*JANUARY, D(3), D(2), D(6), ""),
        (*JANUARY, D(3), D(1), D(3), ""),
    ]
    # Eight messages, of which the A03 is no usage; the two charges are two rows. One
    # has no visit number; one dated CANARY is known from nothing, so at once.
    assert _rows(first, "adt") == [(8, 7, 0, 1)]
    # Patients one and two are one, first seen on the 10th; three's visit is cancelled:
    # one patient instead of three. The credited charge takes a unit off. In February
    # the merged patient comes again.
    assert billed_book.closes[2].lines("adt", "2026-03-01") == [
        (*FEBRUARY, D(1), D(3), D(3), ""),
        (*FEBRUARY, D(1), D(1), D(1), ""),
        (*JANUARY, D(-2), D(3), D(-6), "adjustment"),
        (*JANUARY, D(-1), D(2), D(-2), "adjustment"),
        (*JANUARY, D(-1), D(1), D(-1), "adjustment"),
    ]


def test_an_export_is_billed_and_links_and_deletions_given_back_UE_12_UE_15(
    billed_book: BilledBook,
) -> None:
    # e1 at a, e2 at the ward of b, of two patients; one procedure in e1.
    first = billed_book.closes[1]
    assert first.lines("bulk", "2026-02-01") == [
        (*JANUARY, D(2), D(3), D(6), ""),
        (*JANUARY, D(1), D(2), D(2), ""),
        (*JANUARY, D(2), D(1), D(2), ""),
    ]
    assert first.shares("bulk", "2026-02-01", 1) == dict.fromkeys("ab", (D(1), D(3)))
    # Of seven lines one is no JSON and one has no status of FHIR.
    assert sorted(_rows(first, "bulk")) == [(0, 0, 0, 0), (1, 1, 0, 0), (7, 5, 0, 2)]
    # e1 is gone and e3 has come about, both at a; patient two is one: of one patient
    # and two encounters the first is e2's at b. The procedure went with e1.
    second = billed_book.closes[2]
    assert second.lines("bulk", "2026-03-01") == [
        (*JANUARY, D(-1), D(3), D(-3), "adjustment"),
        (*JANUARY, D(-1), D(2), D(-2), "adjustment reversal"),
    ]
    assert second.shares("bulk", "2026-03-01", 1) == {"a": (D(-1), D(-3))}
