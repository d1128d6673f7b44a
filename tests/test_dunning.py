"""`billing dun`, from landing to mailbox: one story of two days in 2026.

Every invoice is of 1 January and due on Saturday, 31 January 2026 (dunning_book.py).
Numbers go by customer (A4): clinic 1, credited 2, group 3, held 4, payer 5, system 6.
"""

import os
import pwd
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import billing
from dunning_book import (
    CLINIC,
    CREDITED,
    FIRST,
    GROUP,
    HELD,
    MANAGER,
    SECOND,
    SYSTEM,
    landed,
)
from mailbox_server import Mailbox, running_server

from orchestration import notices, statements
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger_chain import ledger_head, record_hashes
from orchestration.mail import URL_VARIABLE, Outbox
from orchestration.notices import Notice
from orchestration.verify import verify
from orchestration.warehouse import open_files


@dataclass
class Story:
    """A home, and what was said and published on the way."""

    home: Home
    landing: Path
    said: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, list[tuple]]] = field(default_factory=dict)
    mailbox: Mailbox = field(default_factory=Mailbox)
    outbox: list[str] = field(default_factory=list)

    def run(self, day: str, *more: object) -> None:
        places = ["--home", self.home.path, "--landing", self.landing]
        billing("run", *places, "--as-of", day, *more)

    def dun(self, name: str, day: str, *more: object) -> None:
        """Run the command; keep what it said, or why it was refused, and the tables."""
        self.capture.readouterr()
        try:
            billing("dun", "--home", self.home.path, "--as-of", day, *more)
            said = ""
        except BillingError as error:
            said = f"REFUSED {error}\n"
        out, err = self.capture.readouterr()
        self.said[name] = said + out + err
        self.tables[name] = {
            table: self.rows(f"from {table}")
            for table in ("finance.invoices", "finance.receivables_aging")
        }
        self.tables[name]["queue"] = self.rows(
            "select notice_id, due_on from finance.dunning_queue order by 1"
        )
        self.tables[name]["tasks"] = self.rows(
            "select notice_id, task, handed_on from finance.account_tasks order by 1"
        )

    def rows(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.home.publication), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    capture: Any = None


class Crash(BaseException):
    """The process ends here, as if by a power cut."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All that happens, once; the tests look at its parts."""
    from _pytest.capture import FDCapture, MultiCapture

    place = tmp_path_factory.mktemp("dunning")
    it = Story(Home(place / "home"), place / "landing")
    it.capture = MultiCapture(in_=None, out=FDCapture(1), err=FDCapture(2))
    it.capture.start_capturing()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(URL_VARIABLE, raising=False)
            _tell(it, patch)
    finally:
        it.capture.stop_capturing()
    yield it


def _tell(it: Story, patch: pytest.MonkeyPatch) -> None:
    landed().write(it.landing, 1)
    shutil.move(it.landing / "receivables", it.landing.parent / "later")
    it.run(FIRST, "--issue-through", "2026-02-01")
    shutil.move(it.landing.parent / "later", it.landing / "receivables")
    it.dun("shown", FIRST)
    it.dun("other day", "2026-02-10")

    def crash(*_: object) -> None:
        raise Crash

    with patch.context() as crashing:
        crashing.setattr(Outbox, "hand_over", crash)
        with pytest.raises(Crash):
            it.dun("crash", FIRST, "--send")
    with running_server() as (mailbox, url):
        it.mailbox = mailbox
        patch.setenv(URL_VARIABLE, url)
        it.dun("sent", FIRST, "--send")
        it.dun("again", FIRST, "--send", "--not-sent", f"{CLINIC}-1", "--by", "Ann")
        patch.delenv(URL_VARIABLE)
    _three_steps_later(it)
    it.run(SECOND)
    it.dun("may", SECOND, "--send")
    it.dun("unknown", SECOND, "--approve", f"{SYSTEM}-3", "--by", "Ann")
    it.dun("approved", SECOND, "--approve", f"{SYSTEM}-4", "--by", "Ann Lee", "--send")
    it.outbox = sorted(path.name for path in it.home.outbox.iterdir())
    shutil.move(it.landing / "receivables/payments.csv", it.landing.parent)
    it.dun("payments gone", SECOND, "--send")
    it.dun("still gone", SECOND, "--send")
    assert sorted(path.name for path in it.home.outbox.iterdir()) == it.outbox


def _three_steps_later(it: Story) -> None:
    """The system's dispute is rejected, and three steps went out meanwhile."""
    book = landed()
    book.rows = [
        (*key, row | {"resolved_on": "2026-02-20", "resolution": "rejected"})
        if row.get("dispute_id") == "contested"
        else (*key, row)
        for *key, row in book.rows
    ]
    book.write(it.landing, 1)
    with open_files(it.home, Keys.of(it.home)) as connection:
        for step, day in enumerate((date(2026, 3, 2), date(2026, 3, 20)), start=1):
            notices.book(connection, notices.SENT, day, [_system(step)])
            notices.book(connection, notices.HANDED_OVER, day, [_system(step)])
        day = date(2026, 4, 15)
        notices.book(connection, notices.SENT, day, [_system(3)])
        notices.book(connection, notices.HANDED_OVER, day, [_system(3)])


def _system(step: int) -> Notice:
    return Notice(
        *(f"{SYSTEM}-{step}", "system", SYSTEM, "enterprise", step, "call", "task"),
        *(MANAGER, Decimal("58000.00"), Decimal("0.00")),
    )


def test_the_queue_says_what_is_due_and_why(story: Story) -> None:
    # Clinic: 31 January + 1 day is a Sunday, so Monday, 2 February. Group: + 3 days.
    assert story.tables["shown"]["queue"] == [
        (f"{CLINIC}-1", date(2026, 2, 2)),
        (f"{GROUP}-1", date(2026, 2, 3)),
    ]
    said = story.said["shown"]
    assert f"{CLINIC}-1  Clinic Example (clinic), clinic step 1: reminder" in said
    # 1,250.00 less 1,000.00: the second line of 250.00 is what is missing.
    assert "9 days past due, short by exactly line 2 (Module 2" in said


def test_pauses_are_named(story: Story) -> None:
    said = story.said["shown"]
    assert f"{SYSTEM}  system: dispute contested" in said
    # Of two holds in force the later end counts; on 9 February one is known.
    assert f"{HELD}  held: hold through 2026-03-31" in said


def test_money_that_fits_nothing_is_unapplied_and_says_why_N1(story: Story) -> None:
    rows = story.rows(
        "select receipt_id, amount, unapplied_because from finance.applications "
        "where invoice_number is null order by 1"
    )
    assert rows == [
        ("euro", Decimal("98.00"), f"names {GROUP}, which is in USD"),
        # 300 on an invoice of 200.
        ("goodwill", Decimal("100.00"), f"above what {CREDITED} owed"),
        # 500 came on 10 February for 500; on 11 May nothing of it is left.
        # 150 for an invoice of 100.
        ("much", Decimal("50.00"), "above all that is owed"),
        ("other", Decimal("99.00"), f"names {CLINIC}, which is of another customer"),
        (
            "unknown",
            Decimal("97.00"),
            "names INV-2026-999999, which is not issued",
        ),
    ]
    assert "payment other  group, 99.00 USD: names" in story.said["shown"]


def test_rows_that_cannot_be_right_are_rejected_with_place_and_remedy(
    story: Story,
) -> None:
    rows = story.rows(
        "select split_part(source_file, '/', 2), line, column_name, reason "
        "from quality.rejected_rows order by all"
    )
    told = [(file, line, column) for file, line, column, _ in rows]
    assert told == [
        ("disputes.csv", 3, "invoice_number"),
        ("disputes.csv", 4, "line_number"),
        ("disputes.csv", 5, "invoice_number"),
        ("disputes.csv", 6, "resolved_on"),
        ("payments.csv", 7, "received_on"),
        ("payments.csv", 8, "payment_id"),
        ("payments.csv", 9, "payment_id"),
        ("promises.csv", 2, "pay_by"),
        ("promises.csv", 3, "invoice_number"),
    ]
    for _, _, _, reason in rows:
        assert any(word in reason for word in ("mend", "write", "keep", "credit"))


def test_overlapping_holds_are_both_in_force_and_told(story: Story) -> None:
    assert "overlaps the hold of receivables/holds.csv line 2" in " ".join(
        story.said["may"].split()
    )
    assert f"{HELD}  held: hold through 2026-06-30" in story.said["may"]


def test_while_payments_are_gone_nobody_is_asked_C8(story: Story) -> None:
    for said in ("payments gone", "still gone"):
        assert story.said[said].startswith(
            "REFUSED what the last run knew of payments and disputes is gone: "
            "receivables/payments.csv. Put it back, or run `billing run` first. "
            "Nothing was sent"
        )


def test_rows_that_stop_no_letter_are_named(story: Story) -> None:
    told = " ".join(story.said["shown"].split())
    # Line 2 is a dispute that stands; two of the others fit no issued invoice or line.
    assert (
        "receivables/disputes.csv: what is said in line 3, 4, 5, 6 is rejected" in told
    )


def test_another_day_than_that_of_the_run_is_refused(story: Story) -> None:
    assert story.said["other day"].startswith(
        "REFUSED what is built is as of 2026-02-09, not 2026-02-10: run "
        "`billing run --as-of 2026-02-10` first"
    )


def test_what_a_crash_left_in_doubt_is_not_sent_again_but_listed(story: Story) -> None:
    assert [one["To"] for one in story.mailbox.messages[:2]] == [
        "ap@group.example",
        MANAGER,
    ]
    said = story.said["sent"]
    assert "In doubt, counted as sent" in said
    assert f"{CLINIC}-1  reminder to ap@clinic.example, 2026-02-09, message <" in said
    assert story.tables["sent"]["queue"] == []


def test_a_person_may_say_that_it_did_not_go_and_it_goes_once(story: Story) -> None:
    assert [one["To"] for one in story.mailbox.messages[2:]] == ["ap@clinic.example"]
    assert "In doubt" not in story.said["again"]


def test_a_new_dispute_is_a_task_with_a_message_on_its_day(story: Story) -> None:
    assert ("dispute-contested", "settle dispute", None) in story.tables["shown"][
        "tasks"
    ]
    assert (
        "dispute-contested",
        "settle dispute",
        date(2026, 2, 9),
    ) in story.tables["sent"]["tasks"]
    task = story.mailbox.messages[1]
    assert task["Subject"] == f"New dispute of System Example: invoice {SYSTEM}"
    text = " ".join(task.get_body(("plain",)).get_content().split())
    # 58,000.00 in two lines; the second one is contested.
    assert f"disputes invoice {SYSTEM}, line 2: 8,000.00 USD" in text


def test_messages_hold_the_invoice_and_nothing_of_a_patient(story: Story) -> None:
    reminder = story.mailbox.messages[0]
    assert reminder["From"] == (
        '"Example Charting Inc." <billing@example-charting.example>'
    )
    assert "250.00 USD" in reminder.get_body(("html",)).get_content()
    (invoice,) = reminder.iter_attachments()
    assert invoice.get_filename() == f"{GROUP}.txt"
    for one in story.mailbox.messages:
        assert b"CANARY" not in one.as_bytes()
        for part in one.walk():
            if not part.is_multipart():
                assert "CANARY" not in part.get_content()


def test_sending_changes_no_amount(story: Story) -> None:
    for table in ("finance.invoices", "finance.receivables_aging"):
        assert story.tables["shown"][table] == story.tables["again"][table]


def test_after_a_long_pause_one_next_step_is_due_not_all_N4(story: Story) -> None:
    # Sent on 9 February, + 7 quiet days: Monday the 16th is a holiday. By 11 May steps
    # 3 and 4 would have come as well.
    assert f"{CLINIC}-2" not in story.said["may"]  # paid by then
    # Group: step 2 at 15 days, 15 February, but 10 days after the 9th: the 19th.
    sent = story.home.outbox / f"{SECOND}-{GROUP}-2.eml"
    assert sent.exists()
    assert [name for name in story.outbox if GROUP in name] == [sent.name]


def test_a_step_that_needs_approval_waits_for_it(story: Story) -> None:
    # 31 January + 90 days is 1 May; 15 April + 21 quiet days is the 6th.
    assert story.tables["may"]["queue"] == [(f"{SYSTEM}-4", date(2026, 5, 6))]
    assert "Waiting for approval" in story.said["may"]
    assert (f"{SYSTEM}-4", "approve final_notice", None) in story.tables["may"]["tasks"]
    assert story.said["unknown"].startswith(f"REFUSED {SYSTEM}-3 is not in the queue")
    assert story.tables["approved"]["queue"] == []
    assert f"{SECOND}-{SYSTEM}-4.eml" in story.outbox


def test_who_approved_is_in_the_audit_log(story: Story) -> None:
    (row,) = [
        row
        for row in AuditLog(story.home.audit).rows()
        if row["action"] == "notice_approved"
    ]
    assert row["object"] == f"{SYSTEM}-4"
    assert row["detail"]["by"] == "Ann Lee"
    assert row["actor"] == pwd.getpwuid(os.getuid()).pw_name


def test_the_audit_log_names_every_head_of_the_ledger_A5(story: Story) -> None:
    log = AuditLog(story.home.audit)
    assert log.problems() == []
    with open_files(story.home, Keys.of(story.home), read_only=True) as connection:
        heads = record_hashes(connection)
        assert log.ledger_heads()[-1] == ledger_head(connection)
    # The three steps that the test itself booked are six events without a row, but
    # for the last head, which the next run found; and the record of the issue is
    # followed, in the same transaction, by that of its journal entries (V4).
    assert len(set(heads) - set(log.ledger_heads())) == 5 + 1


def test_a_notice_that_was_changed_is_found(story: Story, tmp_path: Path) -> None:
    copy = Home(tmp_path / "copy")
    copy.create()
    for name in ("ledger", "audit"):
        shutil.copy(getattr(story.home, name), getattr(copy, name))
    shutil.copytree(story.home.keys, copy.keys, dirs_exist_ok=True)
    assert verify(copy).problems == []
    with open_files(copy, Keys.of(copy)) as connection:
        connection.execute(
            "update ledger.book.notice_events set send_to = 'other@example.com' "
            "where seq = 1"
        )
    assert verify(copy).problems == ["notice event 1: was changed after it was booked"]


def test_a_statement_shows_what_is_open_and_what_came(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    billing("statement", "group", "--home", story.home.path)
    text = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in text.splitlines()]
    # 31 January to 11 May: 100 days.
    assert f"{GROUP} 2026-01-01 2026-01-31 100 1,250.00 1,000.00 250.00" in lines
    assert "90+ days past due 250.00 USD" in lines
    # 250.00 less the 99.00 that name another customer's invoice.
    assert "Less not applied yet -99.00 USD" in lines
    assert "Balance of the account 151.00 USD" in lines
    assert CLINIC not in text
    with pytest.raises(BillingError, match="there is no customer nobody"):
        billing("statement", "nobody", "--home", story.home.path)


def test_a_dispute_is_on_the_statement_though_its_invoice_was_paid_long_ago() -> None:
    dispute = {"dispute_id": "d1", "invoice_number": CLINIC, "currency": "USD"}
    dispute |= {"opened_on": date(2026, 2, 9), "amount": Decimal("40.00")}
    customer = {"customer_id": "clinic", "bill_to_name": "Clinic"}

    def rows(sql: str, *values: object) -> list[dict[str, Any]]:
        found = dispute | {"line_number": None}
        return [found] if "from finance.disputes" in sql else []

    lines = statements._document(
        customer | {"bill_to_address": None}, None, rows, date(2026, 9, 1)
    )
    shown = [" ".join(line.split()) for line in lines]
    assert "In dispute" in shown
    assert f"2026-02-09 d1: {CLINIC} 40.00 USD" in shown
    assert "Balance of the account 0.00 USD" in shown
