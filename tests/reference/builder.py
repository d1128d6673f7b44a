"""What every part of a random scenario is built with."""

from datetime import date, timedelta
from random import Random

from reference.scenarios import Scenario

PRICING_MODELS = ("flat", "per_unit", "graduated", "volume", "stairstep", "package")
METERS = ("encounter", "procedure", "patient", "emergency")


class Builder:
    """Ids, days, keys and rows of one scenario in the making."""

    def __init__(self, rng: Random, scenario: Scenario):
        self.rng = rng
        self.scenario = scenario
        self.first_day = scenario.schedule[0].as_of - timedelta(days=150)
        self.last_day = scenario.schedule[-1].as_of + timedelta(days=20)
        self.numbers: dict[str, int] = {}
        self.keys: set[tuple] = set()
        self.starts: list[date] = []

    def new_id(self, kind: str) -> str:
        """A new id; capitals among them show whether order is that of the bytes."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        if self.rng.random() < 0.2:
            return f"{self.scenario.prefix}{kind.capitalize()}{self.numbers[kind]}"
        return f"{self.scenario.prefix}{kind}{self.numbers[kind]}"

    def add(self, step: int, table: str, **row: object) -> None:
        text = {name: "" if v is None else str(v) for name, v in row.items()}
        self.scenario.rows.append((step, table, text))

    def is_new(self, *key: object) -> bool:
        """Whether a key was not used before: no row is landed twice."""
        if key in self.keys:
            return False
        self.keys.add(key)
        return True

    def some_day(self, first: date, last: date) -> date:
        """A day between two, ends of months and the ends themselves preferred."""
        rng = self.rng
        when = first + timedelta(days=rng.randrange(max((last - first).days, 0) + 1))
        kind = rng.random()
        if kind < 0.15:
            when = when.replace(day=1)
        elif kind < 0.25:
            when = when.replace(day=1) - timedelta(days=1)
        elif kind < 0.30:
            when = date(2024, 2, 29)
        return min(max(when, first), last)

    def landed(self, since: date, not_before: int = 0) -> int:
        """The step at which a row signed on a day is landed: by then, or any time."""
        steps = len(self.scenario.schedule)
        if self.rng.random() < 0.75:
            for number, step in enumerate(self.scenario.schedule):
                if step.as_of >= since and number >= not_before:
                    return number
        return self.rng.randrange(not_before, steps)
