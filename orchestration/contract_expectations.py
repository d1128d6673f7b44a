"""What Great Expectations judge of the landed contract tables: are they plausible?

Row checks say whether a row can be read and what it means; these say whether the
tables look like contracts at all.
"""

from collections.abc import Iterator
from typing import Any

import pandas

from orchestration.contract_rules import FIRST_DAY, LAST_DAY
from orchestration.expectations import Expectation


def _expect(table: str, name: str, type: str, **arguments: Any) -> Expectation:
    return Expectation(table, name, type, arguments)


_BETWEEN = "ExpectColumnValuesToBeBetween"
_REGEX = "ExpectColumnValuesToMatchRegex"
_TRUE = "ExpectColumnValuesToBeInSet"
_NO_BLANKS = r"^\S(?:.*\S)?\Z"

CONTRACT_EXPECTATIONS = (
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


def contract_frames(
    tables: dict[str, pandas.DataFrame],
) -> dict[str, pandas.DataFrame]:
    """What is judged of the valid rows, those of `ContractIntake`, by table.

    They have typed columns, `place` (their file and line) and a true or false more for
    what takes several cells to tell.
    """
    judged = dict.fromkeys(one.table for one in CONTRACT_EXPECTATIONS)
    return {table: _with_signs(table, tables[table]) for table in judged}


def _with_signs(table: str, landed: pandas.DataFrame) -> pandas.DataFrame:
    frame = landed.reset_index(drop=True)
    frame["place"] = [
        f"{file} line {line}"
        for file, line in zip(frame["source_file"], frame["line"], strict=True)
    ]
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
            [all(FIRST_DAY <= day <= LAST_DAY for day in of_one) for of_one in days],
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
