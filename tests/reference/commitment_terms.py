"""Commitments as known by the as-of day: what one is, and its versions (T1, T3)."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from reference.records import Rows
from reference.values import day, number, text


@dataclass(frozen=True)
class CommitmentVersion:
    """What is committed from `effective_on` on, in units or money."""

    effective_on: date
    signed_on: date
    amendment_id: str
    committed: Fraction
    shortfall_price: Fraction | None
    is_prorated: bool


@dataclass(frozen=True)
class Commitment:
    """A commitment; a later version never changes these but the versions (T3)."""

    commitment_id: str
    is_spend: bool
    line_id: str
    is_yearly: bool
    is_rerate: bool
    counts_usage_only: bool
    versions: tuple[CommitmentVersion, ...]

    @property
    def begins(self) -> date:
        """From this day on a version is in force (T2): none is ever ended."""
        return min(version.effective_on for version in self.versions)


def read_commitments(rows: Rows, signed: dict[str, date]) -> list[Commitment]:
    """The commitments of one contract from its known rows, in order of their id.

    `signed` gives the day an amendment was signed; that of the contract is under "".
    """
    by_id: dict[str, Rows] = {}
    for row in rows:
        by_id.setdefault(row["commitment_id"], []).append(row)
    return [
        _commitment(by_id[commitment_id], signed) for commitment_id in sorted(by_id)
    ]


def _commitment(rows: Rows, signed: dict[str, date]) -> Commitment:
    first = rows[0]
    return Commitment(
        commitment_id=first["commitment_id"],
        is_spend=first["kind"] == "spend",
        line_id=text(first, "line_id"),
        is_yearly=text(first, "period", "contract_year") == "contract_year",
        is_rerate=text(first, "true_up") == "rerate",
        counts_usage_only=text(first, "counts") == "usage",
        versions=tuple(_version(row, signed) for row in rows),
    )


def _version(row: dict[str, str], signed: dict[str, date]) -> CommitmentVersion:
    return CommitmentVersion(
        effective_on=day(row["effective_on"]),
        signed_on=signed[text(row, "amendment_id")],
        amendment_id=text(row, "amendment_id"),
        committed=number(row["committed"]),
        shortfall_price=number(text(row, "shortfall_price")),
        is_prorated=text(row, "prorate", "true") == "true",
    )
