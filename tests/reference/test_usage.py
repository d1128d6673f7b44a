"""Usage charges and outcomes, against cases worked by hand."""

from decimal import Decimal

from reference.cases import Case, amounts

D = Decimal


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


def test_a_patient_counts_once_in_each_billing_period_U8():
    case = Case()
    case.line(meter="patient", unit_price="5")
    for number, when in enumerate(("2026-01-31", "2026-01-30", "2026-02-01")):
        case.event(str(number), when, patient_id="x")
    assert amounts(case.lines("2026-03-01")) == [D(5), D(5)]


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


def test_a_file_sent_again_under_another_name_is_not_read_again_interfaces():
    # Of the three files of one row two are the same; the third replaces neither.
    case = Case()
    case.event("same", "2026-01-10", file="a.csv", status="")
    case.event("same", "2026-01-10", file="b.csv")
    case.event("same", "2026-01-10", file="c.csv", code="99213")
    outcomes = case.bill("2026-02-01").outcomes
    assert sorted((one.file, one.outcome) for one in outcomes) == [
        ("a.csv", "replaced"),
        ("c.csv", "unmetered"),
    ]
