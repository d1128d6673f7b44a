"""What identifies a patient, and how it is found again however it is written.

A value is the words in it: `Doe^Jane`, `DOE, JANE` and `doe jane` are the same. Words
are letters and digits without case; everything else only separates them.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from datetime import date

PATIENT, NAME, BORN = "patient identifier", "name", "date of birth or death"
SSN, RECORD, CONTACT = "social security number", "medical record number", "contact"
ADDRESS, NUMBER = "address", "account or licence number"
EVENT, TOKEN, FILE = "event id", "patient token", "name of a usage file"
OUT_OF_PLACE = "value that does not belong in its column"
NOT_KEPT = "value of a column that is not kept"
MALFORMED = "part of a malformed record"

# Kinds by what a column or a field is called; the first that fits.
_NAMED = (
    (SSN, r"ssn|social"),
    (RECORD, r"mrn|medical.?rec|chart"),
    (BORN, r"birth|dob$|^dob|death|deceased"),
    (CONTACT, r"phone|fax|mail|telecom|mobile"),
    (ADDRESS, r"addr|street|^city|zip|postal|county|^line$"),
    (NUMBER, r"passport|driver|licen[cs]e|account|policy|member|insur|benefici"),
    (NAME, r"^first|^last|middle|maiden|given|family|^name$|(patient|full).?name"),
    (PATIENT, r"patient|subject|person|^pid|guarantor|mother|spouse"),
)
_NAMED_PATTERNS = tuple((kind, re.compile(pattern)) for kind, pattern in _NAMED)
_WORD = re.compile(r"[^\W_]+")
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:\D.*|\d{4,}.*)?", re.DOTALL)
_ISO_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_OTHER_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_TIMED = re.compile(r"(\d{4}-\d\d-\d\d)t(?=\d)")

# A word that no value has, put between texts that are not one text.
APART = "\u3164"
# Looked for whatever was landed; the kind, and how it is written.
PATTERNS = (
    (
        SSN,
        re.compile(
            r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])"
        ),
    ),
    (RECORD, re.compile(r"(?i)\b(?:mrn|medical record (?:number|no))\W{1,3}\w*\d{4,}")),
    (
        BORN,
        re.compile(r"(?i)\b(?:dob|birth.?date|date of birth)\W{1,5}\d{4}-?\d\d-?\d\d"),
    ),
    (PATIENT, re.compile(r"\bPID\|[^|\s]*\|[^\s]+|\bPatient/[\w.-]*\d[\w.-]*")),
)

Words = tuple[str, ...]


class Wanted:
    """Values looked for, by their words, and how many had to be left out."""

    def __init__(self, said: frozenset[str] | set[str]) -> None:
        """`said` are all words that were written anywhere; the rest need no memory."""
        self._said = said
        self.kinds: dict[Words, str] = {}
        self.looked_for = 0
        self.too_short = 0
        self._after: dict[str, set[int]] = {}

    def add(self, kind: str, value: str, known_since: date | None = None) -> None:
        """Look for a value, if it is one that can be told from any other.

        A day from `known_since` on may be one that bills are full of.
        """
        writings = list(_writings(kind, value, known_since))
        if not writings:
            self.too_short += bool(value.strip())
            return
        self.looked_for += 1
        for found in writings:
            if self._said.issuperset(found) and found not in self.kinds:
                self.kinds[found] = kind
                self._after.setdefault(found[0], set()).add(len(found))

    def forget(self, texts: Iterable[str]) -> int:
        """Leave out what other texts say for good reasons; gives how many values."""
        explained: set[Words] = set()
        for text in texts:
            explained.update(value for _, value in self._all(text))
        for value in explained:
            del self.kinds[value]
        self._after = {}
        for value in self.kinds:
            self._after.setdefault(value[0], set()).add(len(value))
        return len(explained)

    def found(self, text: str) -> set[Words]:
        """The values that a text holds; of those that overlap the longest."""
        found, end = set(), 0
        for place, value in self._all(text):
            if place + len(value) > end:
                found.add(value)
                end = place + len(value)
        return found

    def _all(self, text: str) -> Iterator[tuple[int, Words]]:
        """Every value with its place among the words, the longest of a place first."""
        said = words(text)
        if self._after.keys().isdisjoint(said):
            return
        for place, word in enumerate(said):
            for length in sorted(self._after.get(word, ()), reverse=True):
                value = tuple(said[place : place + length])
                if value in self.kinds:
                    yield place, value


def words(text: str) -> list[str]:
    """The words of a text, in order."""
    return _WORD.findall(_TIMED.sub(r"\1 ", text.casefold()))


def kind_of(name: str) -> str | None:
    """What a column or field of this name holds of a patient; None if nothing known."""
    plain = name.strip().lower()
    for kind, pattern in _NAMED_PATTERNS:
        if pattern.search(plain):
            return kind
    return None


def is_number_or_day(value: str) -> bool:
    """Whether a value is of a kind that bills are full of."""
    return not any(character.isalpha() for character in value) or bool(
        re.fullmatch(r"\d{4}-?\d\d-?\d\d(T[\d:.]*)?(Z|[+-][\d:]+)?", value.strip())
    )


def days_in(text: str) -> Iterator[date]:
    """Every day that a text names, as inputs write days."""
    for match in _ISO_DAY.findall(text):
        with contextlib.suppress(ValueError):
            yield date.fromisoformat(match)


def patterns_in(text: str) -> Iterator[tuple[str, str]]:
    """(kind, what was matched) of everything that looks like an identifier."""
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(text):
            yield kind, match.group()


def _writings(kind: str, value: str, known_since: date | None) -> Iterator[Words]:
    if kind == BORN:
        yield from _days(value, known_since)
        return
    said = tuple(words(value))
    if _is_telling(kind, said):
        yield said
    if kind == NAME and len(said) > 1:
        yield said[::-1]
        yield from ((said[0], said[1]), (said[1], said[0]))
        yield from ((word,) for word in said if _is_telling(kind, (word,)))
    if kind == SSN and len(said) == 1 and len(said[0]) == 9:
        yield (said[0][:3], said[0][3:5], said[0][5:])
    if kind == SSN and len(said) == 3:
        yield ("".join(said),)


def _days(value: str, known_since: date | None) -> Iterator[Words]:
    """A day in its usual writings; none if it may as well be one of the bill's."""
    match = _DAY.fullmatch(value.strip())
    other = _OTHER_DAY.fullmatch(value.strip())
    try:
        if match:
            day = date(*(int(part) for part in match.groups()))
        elif other:
            month, day_of_month, year = (int(part) for part in other.groups())
            day = date(year, month, day_of_month)
        else:
            return
    except ValueError:
        return
    if known_since is not None and day >= known_since:
        return
    year, month, day_of_month = f"{day:%Y %m %d}".split()
    yield (year, month, day_of_month)
    yield (year + month + day_of_month,)
    yield (month, day_of_month, year)
    yield (month.lstrip("0"), day_of_month.lstrip("0"), year)


def _is_telling(kind: str, said: Words) -> bool:
    """Whether nothing else is likely to be written so."""
    length = sum(map(len, said))
    if not said or len(said) > 40 or APART in said:
        return False
    if kind == NAME:
        return length >= 4 and not all(word.isdigit() for word in said)
    if kind == SSN:
        return length == 9
    if all(word.isdigit() for word in said):
        return length >= 7 and kind not in (NOT_KEPT, OUT_OF_PLACE, MALFORMED)
    return length >= 6
