"""Great Expectations over the landed contract tables: is what was read plausible?

Row checks say whether a row can be read and what it means; these say whether the
tables look like contracts at all. An outcome holds counts and lines, never values.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas

from orchestration.errors import BillingError


@dataclass(frozen=True)
class ExpectationOutcome:
    """What one expectation found in one table.

    `unexpected_count` counts the rows that fail it; `lines` are theirs, and `places`
    the same with the file they are in. Values are left out on purpose.
    """

    table: str
    name: str
    success: bool
    unexpected_count: int
    lines: list[int]
    places: list[str]


@dataclass(frozen=True)
class _Expectation:
    table: str
    name: str
    type: str
    arguments: dict[str, Any]


def _expect(table: str, name: str, type: str, **arguments: Any) -> _Expectation:
    return _Expectation(table, name, type, arguments)


_BETWEEN = "ExpectColumnValuesToBeBetween"
_REGEX = "ExpectColumnValuesToMatchRegex"
_TRUE = "ExpectColumnValuesToBeInSet"
_NO_BLANKS = r"^\S(?:.*\S)?\Z"
_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)

EXPECTATIONS = (
    _expect(
        "customers", "customers_exist", "ExpectTableRowCountToBeBetween", min_value=1
    ),
    _expect(
        "customers",
        "customer_id_has_no_blanks_around",
        _REGEX,
        column="customer_id",
        regex=_NO_BLANKS,
    ),
    _expect(
        "customers",
        "bill_to_email_is_an_address",
        _REGEX,
        column="bill_to_email",
        regex=r"^[^@\s]+@[^@\s]+\.[^@\s.]+\Z",
    ),
    _expect(
        "facilities",
        "facility_id_has_no_blanks_around",
        _REGEX,
        column="facility_id",
        regex=_NO_BLANKS,
    ),
    _expect(
        "facilities", "npi_is_valid", _TRUE, column="npi_is_valid", value_set=[True]
    ),
    _expect(
        "facilities",
        "ccn_is_six_characters",
        _REGEX,
        column="ccn",
        regex=r"^[0-9A-Z]{6}\Z",
    ),
    _expect(
        "facilities",
        "state_is_two_capitals",
        _REGEX,
        column="state",
        regex=r"^[A-Z]{2}\Z",
    ),
    _expect(
        "contracts",
        "contract_id_has_no_blanks_around",
        _REGEX,
        column="contract_id",
        regex=_NO_BLANKS,
    ),
    _expect(
        "contracts",
        "contract_dates_are_plausible",
        _TRUE,
        column="contract_dates_are_plausible",
        value_set=[True],
    ),
    _expect(
        "contracts",
        "contract_is_at_most_50_years",
        _TRUE,
        column="contract_is_at_most_50_years",
        value_set=[True],
    ),
    _expect(
        "contracts",
        "payment_terms_are_at_most_a_year",
        _BETWEEN,
        column="payment_terms_days",
        max_value=365,
    ),
    _expect(
        "contract_lines",
        "line_id_has_no_blanks_around",
        _REGEX,
        column="line_id",
        regex=_NO_BLANKS,
    ),
    _expect(
        "contract_lines",
        "unit_price_is_plausible",
        _BETWEEN,
        column="unit_price",
        min_value=-100_000_000,
        max_value=100_000_000,
        strict_min=True,
        strict_max=True,
    ),
    _expect(
        "contract_lines",
        "quantity_is_plausible",
        _BETWEEN,
        column="quantity",
        max_value=1_000_000_000,
        strict_max=True,
    ),
)


def validate_contract_tables(
    tables: dict[str, pandas.DataFrame],
) -> list[ExpectationOutcome]:
    """Judges the valid rows of the contract tables, in the order of EXPECTATIONS.

    `tables` are those of `ContractIntake`: typed columns, `source_file`, `line`.
    Raises BillingError if an expectation cannot be judged at all.
    """
    # Great Expectations takes some nine seconds of CPU to import: scipy and altair,
    # for a drawing of one expectation. Only who validates pays for it.
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    landed = context.data_sources.add_pandas("landed")
    outcomes = []
    for table in dict.fromkeys(one.table for one in EXPECTATIONS):
        frame = _profiled(table, tables[table])
        batch = (
            landed.add_dataframe_asset(table)
            .add_batch_definition_whole_dataframe("landed_rows")
            .get_batch(batch_parameters={"dataframe": frame})
        )
        suite = great_expectations.ExpectationSuite(
            name=table,
            expectations=[
                getattr(great_expectations.expectations, one.type)(
                    **one.arguments, meta={"name": one.name}
                )
                for one in EXPECTATIONS
                if one.table == table
            ],
        )
        results = batch.validate(suite, result_format={"result_format": "COMPLETE"})
        outcomes += [_outcome(table, frame, result) for result in results.results]
    order = [(one.table, one.name) for one in EXPECTATIONS]
    return sorted(outcomes, key=lambda one: order.index((one.table, one.name)))


def _outcome(table: str, frame: pandas.DataFrame, result: Any) -> ExpectationOutcome:
    name = result.expectation_config.meta["name"]
    if (result.exception_info or {}).get("raised_exception"):
        raise BillingError(
            f"The expectation {name} on {table} could not be judged; check that the "
            "table has its columns, and the installed version of Great Expectations."
        )
    unexpected = frame.loc[result.result.get("unexpected_index_list") or []]
    return ExpectationOutcome(
        table=table,
        name=name,
        success=bool(result.success),
        unexpected_count=len(unexpected),
        lines=[int(line) for line in unexpected["line"]],
        places=[
            f"{file} line {line}"
            for file, line in zip(
                unexpected["source_file"], unexpected["line"], strict=True
            )
        ],
    )


def _profiled(table: str, landed: pandas.DataFrame) -> pandas.DataFrame:
    """The rows with one true or false more for what takes several cells to tell."""
    frame = landed.reset_index(drop=True)
    if table == "facilities":
        frame["npi_is_valid"] = pandas.Series(
            [None if npi is None else is_npi(npi) for npi in frame["npi"]],
            dtype=object,
        )
    if table == "contracts":
        days = list(
            zip(frame["signed_on"], frame["starts_on"], frame["ends_on"], strict=True)
        )
        frame["contract_dates_are_plausible"] = pandas.Series(
            [all(_FIRST_DAY <= day <= _LAST_DAY for day in of_one) for of_one in days],
            dtype=object,
        )
        frame["contract_is_at_most_50_years"] = pandas.Series(
            [
                (ends.year - 50, ends.month, ends.day)
                < (starts.year, starts.month, starts.day)
                for _, starts, ends in days
            ],
            dtype=object,
        )
    return frame


def is_npi(text: str) -> bool:
    """Ten digits, the first 1 or 2, that pass Luhn's check after the prefix 80840."""
    if len(text) != 10 or not text.isascii() or not text.isdigit():
        return False
    return text[0] in "12" and sum(_luhn_digits("80840" + text)) % 10 == 0


def _luhn_digits(digits: str) -> Iterator[int]:
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        yield doubled - 9 if doubled > 9 else doubled
