"""The billing rules once more, in plain Python, for the SQL to be compared with.

Nothing here is fast or clever on purpose: terms are looked up day by day, units are
walked one after the other through their tiers, every number is a `Fraction` until the
one rounding that its rule names. It shares no code and no idea with the models.

    landing = Landing(tables, usage)            # rows as they would be landed, as text
    ledger = Ledger()
    book = bill(landing, ledger, as_of, issue_through)   # issues into the ledger
    book = close(landing, ledger, month, as_of)          # and posts a month's revenue

`receivables` and `dunning` are rules N1 to N4 on their own: what paid what, what is
owed, which notice is due. What was compared, and how long, is at the end of
docs/rules.md.
"""

from reference.model import Close, bill, close
from reference.progress import Progress
from reference.records import Document, DocumentLine, Landing, Ledger, Outcome

__all__ = [
    "Close",
    "Document",
    "DocumentLine",
    "Landing",
    "Ledger",
    "Outcome",
    "Progress",
    "bill",
    "close",
]
