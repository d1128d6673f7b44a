"""The model against small cases worked by hand from the rules."""

from datetime import date
from decimal import Decimal

from reference import Landing, Ledger, bill

D = Decimal


class Case:
    """One customer, one contract of 2026 over facilities N and S; add what matters."""

    def __init__(self, **contract):
        base = {
            "contract_id": "C",
            "customer_id": "CUST",
            "signed_on": "2025-12-01",
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
        }
        self.tables = {
            "customers": [{"customer_id": "CUST"}],
            "facilities": [],
            "contracts": [base | contract],
            "contract_lines": [],
            "contract_facilities": [],
            "amendments": [],
            "rate_cards": [],
            "baas": [{"customer_id": "CUST", "effective_on": "2020-01-01"}],
            "milestones": [],
        }
        self.files = {}
        for facility in ("N", "S"):
            self.facility(facility)
        self.ledger = Ledger()

    def facility(self, facility_id, effective_on="2020-01-01", **more):
        self.tables["facilities"].append(
            {"facility_id": facility_id, "customer_id": "CUST"}
        )
        self.cover(facility_id, effective_on, **more)

    def cover(self, facility_id, effective_on, covered="true", amendment_id=""):
        self.tables["contract_facilities"].append(
            {
                "contract_id": "C",
                "facility_id": facility_id,
                "effective_on": effective_on,
                "covered": covered,
                "amendment_id": amendment_id,
            }
        )

    def line(self, line_id="L", effective_on="2020-01-01", **more):
        base = {
            "line_id": line_id,
            "contract_id": "C",
            "effective_on": effective_on,
            "charge_type": "recurring",
            "product_id": "P",
            "pricing_model": "per_unit",
        }
        if more.get("meter"):
            base["charge_type"] = "usage"
        self.tables["contract_lines"].append(base | more)

    def amend(self, amendment_id, signed_on, effective_on, **more):
        self.tables["amendments"].append(
            {
                "amendment_id": amendment_id,
                "contract_id": "C",
                "signed_on": signed_on,
                "effective_on": effective_on,
                "kind": "other",
            }
            | more
        )

    def card(self, *tiers):
        """Tiers as (up_to, unit_price, flat_fee)."""
        for tier, (up_to, unit_price, flat_fee) in enumerate(tiers, start=1):
            self.tables["rate_cards"].append(
                {
                    "rate_card_id": "CARD",
                    "tier": str(tier),
                    "up_to": up_to,
                    "unit_price": unit_price,
                    "flat_fee": flat_fee,
                }
            )

    def event(self, event_id, occurred_at, facility="N", file="a.csv", **more):
        self.files.setdefault(file, []).append(
            {
                "event_id": event_id,
                "event_type": "encounter",
                "facility": facility,
                "occurred_at": occurred_at,
                "patient_id": "p",
            }
            | more
        )

    def events(self, count, occurred_at, facility="N"):
        for number in range(count):
            self.event(f"{facility}{occurred_at}-{number}", occurred_at, facility)

    def bill(self, as_of, issue_through=None):
        return bill(
            Landing(self.tables, {"feed": self.files}),
            self.ledger,
            date.fromisoformat(as_of),
            date.fromisoformat(issue_through) if issue_through else None,
        )

    def lines(self, as_of, issue_through=None):
        """(invoice date, service start, service end, quantity, price, amount)."""
        return [
            (
                str(line.invoice_date),
                str(line.charge.service_start),
                str(line.charge.service_end),
                line.quantity,
                line.charge.unit_price,
                line.amount,
            )
            for document in self.bill(as_of, issue_through).documents
            for line in document.lines
        ]

    def outcome(self, as_of):
        """Outcome and reason of the rows, by line of the file."""
        outcomes = sorted(self.bill(as_of).outcomes, key=lambda o: (o.file, o.line))
        return [o.reason or o.outcome for o in outcomes]


def amounts(lines):
    return [line[-1] for line in lines]


def test_a_stub_is_a_share_of_the_full_period_that_ends_at_the_anchor_C3():
    # 20 January to 14 February is 26 of the 31 days of 15 January to 14 February.
    case = Case(starts_on="2026-01-20", billing_anchor_day="15")
    case.line(unit_price="310")
    assert case.lines("2026-01-20")[0] == (
        "2026-01-20",
        "2026-01-20",
        "2026-02-14",
        D(1),
        D(310),
        D(260),
    )


def test_a_quarterly_stub_is_a_share_of_the_whole_quarter_C3():
    # First anchor 1 February; its quarter is 1 November to 31 January, 92 days.
    case = Case(starts_on="2026-01-09")
    case.line(unit_price="920", billing_frequency="quarterly")
    drafts = case.lines("2026-02-01")
    assert drafts[0][1:3] == ("2026-01-09", "2026-01-31")
    assert amounts(drafts)[0] == D(230)
    assert drafts[1][1:3] == ("2026-02-01", "2026-04-30")


def test_an_anchor_past_the_months_end_is_its_last_day_and_comes_back_C3():
    case = Case(starts_on="2026-01-31", billing_anchor_day="31")
    case.line(unit_price="1")
    starts = [line[1] for line in case.lines("2026-04-29")]
    assert starts == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_the_last_period_is_cut_and_keeps_its_length_C3():
    case = Case(ends_on="2026-02-14")
    case.line(unit_price="100", billing_timing="arrears")
    last = case.lines("2026-03-01")[-1]
    assert last == ("2026-02-15", "2026-02-01", "2026-02-14", D(1), D(100), D(50))


def test_a_seat_change_makes_two_segments_R1():
    # March: 10 days of 4 seats and 21 of 6, at 31 a seat.
    case = Case()
    case.line(unit_price="31", quantity="4")
    case.amend("A", "2026-03-01", "2026-03-11")
    case.line(
        effective_on="2026-03-11", unit_price="31", quantity="6", amendment_id="A"
    )
    march = [ln for ln in case.lines("2026-03-01") if ln[0] == "2026-03-01"]
    assert [(ln[3], ln[5]) for ln in march] == [(D(4), D(40)), (D(6), D(126))]


def test_covered_facilities_are_the_quantity_and_share_it_R1_R2_A7():
    case = Case()
    case.facility("W", "2026-02-15")
    case.line(unit_price="0.10", quantity_basis="covered_facilities")
    february = [
        line
        for document in case.bill("2026-02-01").documents
        for line in document.lines
        if line.invoice_date == date(2026, 2, 1)
    ]
    # 2 × 0.10 × 14/28 = 0.10; 3 × 0.10 × 14/28 = 0.15
    assert [line.amount for line in february] == [D("0.10"), D("0.15")]
    assert february[1].shares == {f: (D(1), D("0.05")) for f in ("N", "S", "W")}


def test_a_remainder_goes_to_the_largest_then_the_first_facility_A7():
    case = Case()
    case.facility("W")
    case.line(unit_price="0.33333333", quantity_basis="covered_facilities")
    line = case.bill("2026-01-01").documents[0].lines[0]
    assert line.amount == D("1.00")
    assert [share[1] for share in line.shares.values()] == [
        D("0.34"),
        D("0.33"),
        D("0.33"),
    ]


def test_recurring_graduated_is_one_line_with_a_blended_price_R3():
    # 2 × 10 + 5 × 8 + fee 3 = 63 for 7; 63 / 7 = 9
    case = Case()
    case.card(("2", "10", ""), ("", "8", "3"))
    case.line(
        pricing_model="graduated",
        quantity="8",
        included_quantity="1",
        rate_card_id="CARD",
    )
    assert case.lines("2026-01-01")[0][3:] == (D(7), D(9), D(63))


def test_discounts_are_rounded_once_to_8_places_U6():
    case = Case()
    case.line(unit_price="0.12345678", discount_percent="33.3333", quantity="1000000")
    # 0.12345678 × 0.666667 = 0.08230456115226 → 0.08230456
    assert case.lines("2026-01-01")[0][4:] == (D("0.08230456"), D("82304.56"))


def test_a_recurring_quantity_of_zero_makes_no_charge_a_price_of_zero_does_R2():
    case = Case()
    case.line("ZERO", unit_price="5", quantity="0")
    case.line("FREE", unit_price="0", quantity="3")
    assert case.lines("2026-01-01")[0][3:] == (D(3), D(0), D(0))
    assert len(case.lines("2026-01-01")) == 2  # January, and the next: February


def test_units_walk_through_tiers_in_order_of_day_then_facility_U2_U6():
    case = Case()
    case.card(("3", "2", ""), ("", "1", "10"))
    case.line(pricing_model="graduated", meter="encounter", rate_card_id="CARD")
    case.events(2, "2026-01-10", "S")
    case.events(2, "2026-01-10", "N")
    case.events(1, "2026-01-02", "S")
    document = case.bill("2026-02-01").documents[0]
    first, second = document.lines
    assert (first.quantity, first.amount) == (D(3), D(6))
    assert first.shares == {"N": (D(2), D(4)), "S": (D(1), D(2))}
    assert (second.quantity, second.amount) == (D(2), D(12))
    assert second.shares == {"S": (D(2), D(12))}


def test_included_units_are_free_and_count_to_no_tier_U6():
    case = Case()
    case.card(("2", "2", ""), ("", "1", ""))
    case.line(
        pricing_model="graduated",
        meter="encounter",
        rate_card_id="CARD",
        included_quantity="3",
    )
    case.events(6, "2026-01-10")
    assert [ln[3:] for ln in case.lines("2026-02-01")] == [
        (D(2), D(2), D(4)),
        (D(1), D(1), D(1)),
    ]


def test_a_fractional_unit_is_split_at_a_bound_U6():
    case = Case()
    case.card(("1.5", "2", ""), ("", "1", ""))
    case.line(pricing_model="graduated", meter="procedure", rate_card_id="CARD")
    case.event("e", "2026-01-10", event_type="procedure", quantity="2.25")
    assert [ln[3:] for ln in case.lines("2026-02-01")] == [
        (D("1.5"), D(2), D(3)),
        (D("0.75"), D(1), D("0.75")),
    ]


def test_a_contract_year_runs_on_across_periods_and_versions_U4_U5():
    case = Case()
    case.card(("3", "2", "5"), ("", "1", ""))
    more = {
        "pricing_model": "graduated",
        "meter": "encounter",
        "rate_card_id": "CARD",
        "tier_scope": "contract_year",
    }
    case.line(**more)
    case.line(effective_on="2026-02-15", discount_percent="50", **more)
    case.events(2, "2026-01-10")
    case.events(2, "2026-02-20")
    lines = case.lines("2026-03-01")
    assert [ln[1:] for ln in lines] == [
        ("2026-01-01", "2026-01-31", D(2), D(2), D(9)),
        ("2026-02-15", "2026-02-28", D(1), D(1), D(1)),
        ("2026-02-15", "2026-02-28", D(1), D("0.5"), D("0.50")),
    ]


def test_two_lines_on_one_meter_are_both_charged_U1():
    case = Case()
    case.line("BASE", meter="encounter", unit_price="2")
    case.line("MODULE", meter="encounter", unit_price="0.5")
    case.events(3, "2026-01-10")
    assert amounts(case.lines("2026-02-01")) == [D(6), D("1.5")]


def test_flat_usage_is_charged_if_there_is_any_U6():
    case = Case()
    case.line(pricing_model="flat", meter="encounter", unit_price="99")
    case.events(3, "2026-02-10")
    assert case.lines("2026-03-01") == [
        ("2026-03-01", "2026-02-01", "2026-02-28", D(3), D(99), D(99))
    ]


def test_volume_prices_a_period_at_the_tier_reached_U6():
    case = Case()
    case.card(("3", "2", ""), ("", "1", "7"))
    case.line(
        pricing_model="volume",
        meter="encounter",
        rate_card_id="CARD",
        tier_scope="contract_year",
    )
    case.events(2, "2026-01-10")
    case.events(2, "2026-02-10")
    case.events(1, "2026-03-10")
    assert amounts(case.lines("2026-04-01")) == [D(4), D(9), D(1)]


def test_stairstep_and_package_U6():
    case = Case()
    case.card(("3", "", "50"), ("", "", "80"))
    case.line("S", pricing_model="stairstep", meter="encounter", rate_card_id="CARD")
    case.line(
        "P",
        pricing_model="package",
        meter="encounter",
        unit_price="9",
        package_size="3",
    )
    case.events(4, "2026-01-10")
    package, stairs = sorted(case.lines("2026-02-01"), key=lambda ln: ln[-1])
    assert package[3:] == (D(4), D(9), D(18))
    assert stairs[3:] == (D(4), D(80), D(80))


def test_a_patient_counts_once_at_the_first_facility_U8():
    case = Case()
    case.line(meter="patient", unit_price="5")
    case.event("1", "2026-01-20", "N", patient_id="x")
    case.event("2", "2026-01-10", "S", patient_id="x")
    case.event("3", "2026-01-10", "N", patient_id="")
    line = case.bill("2026-02-01").documents[0].lines[0]
    assert line.shares == {"S": (D(1), D(5))}


def test_percentage_of_all_recurring_and_of_one_line_R4():
    case = Case()
    case.line("BASE", unit_price="100.05")
    case.line("OTHER", unit_price="50")
    case.line("ALL", pricing_model="percentage", percentage="20")
    case.line(
        "ONE",
        pricing_model="percentage",
        percentage="20",
        discount_percent="50",
        base_line_id="BASE",
    )
    january = case.bill("2025-12-31").documents[0]
    got = {(ln.charge.line_id, ln.quantity, ln.amount) for ln in january.lines}
    assert got == {
        ("BASE", D(1), D("100.05")),
        ("OTHER", D(1), D(50)),
        ("ALL", D("100.05"), D("20.01")),
        ("ALL", D(50), D(10)),
        ("ONE", D("100.05"), D("10.01")),
    }


def test_a_milestone_waits_for_the_next_regular_date_S1():
    case = Case()
    case.line(unit_price="1")
    case.tables["milestones"] = [
        {
            "milestone_id": "M",
            "contract_id": "C",
            "milestone": "go_live",
            "amount": "500",
            "completed_on": "2026-01-20",
            "invoicing": "next_invoice",
        }
    ]
    dates = {ln[0] for ln in case.lines("2026-01-20") if ln[-1] == 500}
    assert dates == {"2026-02-01"}


def test_yen_has_no_decimals_and_half_goes_away_from_zero_A1():
    case = Case(currency="JPY")
    case.line(unit_price="2.5")
    assert amounts(case.lines("2026-01-01"))[0] == D(3)


def test_late_usage_is_an_adjustment_on_the_next_regular_invoice_C6_A2():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.events(2, "2026-01-10")
    case.bill("2026-02-01", "2026-02-01")
    case.events(1, "2026-01-11", "S")
    drafts = case.bill("2026-02-05").drafts
    assert [str(draft.invoice_date) for draft in drafts] == ["2026-03-01"]
    (line,) = drafts[0].lines
    assert (line.quantity, line.amount, line.is_adjustment) == (D(1), D(3), True)
    assert line.reverses is False
    assert line.shares == {"S": (D(1), D(3))}


def test_usage_moved_between_facilities_is_a_line_of_zero_A2():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.event("e", "2026-01-10", "N", received_at="2026-01-10")
    case.bill("2026-02-01", "2026-02-01")
    case.event("e", "2026-01-10", "S", received_at="2026-02-02")
    (line,) = case.bill("2026-02-05").drafts[0].lines
    assert (line.quantity, line.amount) == (D(0), D(0))
    assert line.shares == {"N": (D(-1), D(-3)), "S": (D(1), D(3))}
    assert case.bill("2026-03-01", "2026-03-01").drafts == []


def test_an_immediate_amendment_carries_its_adjustments_C6():
    # Seats go from 1 to 2 on 11 January, signed on 15 January, at 31 a month.
    case = Case()
    case.line(unit_price="31")
    case.bill("2026-01-02", "2026-01-02")
    case.amend("A", "2026-01-15", "2026-01-11", invoicing="immediate")
    case.line(
        effective_on="2026-01-11", unit_price="31", quantity="2", amendment_id="A"
    )
    first = case.bill("2026-01-20").drafts[0]
    assert str(first.invoice_date) == "2026-01-15"
    assert [(ln.amount, ln.reverses) for ln in first.lines] == [
        (D(10), False),
        (D(42), False),
        (D(-31), True),
    ]
    assert first.total == D(21)


def test_a_termination_gives_a_credit_memo_on_the_as_of_day_C6_A3():
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.bill("2026-01-02", "2026-01-02")
    case.amend("A", "2026-03-01", "2026-03-31", new_ends_on="2026-03-31")
    (memo,) = case.bill("2026-04-02").drafts
    assert (str(memo.invoice_date), memo.document_type) == ("2026-04-02", "credit_memo")
    assert memo.total == D(90) - D(365)


def test_a_later_row_holds_and_a_later_signed_earlier_one_does_not_displace_T1():
    case = Case()
    case.line(unit_price="1")
    case.amend("LATE", "2026-02-01", "2026-01-15")
    case.amend("EARLY", "2026-01-01", "2026-03-01")
    case.line(effective_on="2026-03-01", unit_price="30", amendment_id="EARLY")
    case.line(effective_on="2026-01-15", unit_price="20", amendment_id="LATE")
    prices = {ln[1]: ln[4] for ln in case.lines("2026-04-01")}
    assert prices == {
        "2026-01-01": D(1),
        "2026-01-15": D(20),
        "2026-02-01": D(20),
        "2026-03-01": D(30),
        "2026-04-01": D(30),
        "2026-05-01": D(30),
    }


def test_numbers_run_by_year_in_order_of_date_A4():
    case = Case(starts_on="2025-12-01")
    case.line(unit_price="1")
    issued = case.bill("2026-02-10", "2026-02-01").issued
    assert [document.number for document in issued] == [
        "INV-2025-000001",
        "INV-2026-000001",
        "INV-2026-000002",
    ]
    assert case.bill("2026-02-10", "2026-02-01").issued == issued


def test_outcomes_in_their_order_interfaces():
    case = Case()
    case.line(meter="encounter", unit_price="1")
    case.tables["facilities"].append({"facility_id": "X", "customer_id": "CUST"})
    case.tables["facilities"].append({"facility_id": "Y", "customer_id": "OTHER"})
    case.event("ok", "2026-01-10T23:30:00-05:00")
    case.event("date", "2026-02-30", quantity="0")
    case.event("qty", "2026-01-10", quantity="1.00001", facility="")
    case.event("missing", "2026-01-10", facility="")
    case.event("future", "2026-03-01", facility="?", received_at="2026-01-10")
    case.event("unknown", "2026-01-10", facility="?")
    case.event("baa", "2026-01-10", facility="Y")
    case.event("early", "2025-12-31", facility="X")
    case.event("cover", "2026-01-10", facility="X")
    case.event("other", "2026-01-10", event_type="procedure")
    case.event("void", "2026-02-30", status="cancelled")
    case.event("twice", "2026-01-10", received_at="2026-01-11")
    case.event("twice", "2026-01-10", received_at="2026-01-11T01:00:00+02:00")
    assert case.outcome("2026-02-01") == [
        "billable",
        "invalid_date",
        "invalid_quantity",
        "missing_facility",
        "future_date",
        "unknown_facility",
        "no_baa",
        "no_contract",
        "facility_not_covered",
        "unmetered",
        "void",
        "billable",
        "replaced",
    ]


def test_rows_are_known_by_their_mark_else_by_their_date_interfaces():
    case = Case()
    case.event("later", "2026-01-10", received_at="2026-02-02")
    case.event("ahead", "2026-02-02")
    assert case.outcome("2026-02-01") == []
    assert len(case.outcome("2026-02-02")) == 2
