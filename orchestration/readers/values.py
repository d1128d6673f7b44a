"""SQL that turns what was sent into typed values, null where it cannot be read.

Every function takes SQL of the column and gives SQL; text is taken without the spaces
around it. No value is ever named in a message.
"""

_DAY = "____-__-__"
# DuckDB reads far more than ISO times ("infinity", "(BC)", one-digit months).
_TIME = ("____-__-__T__:__%", "____-__-__ __:__%")
_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
_IS_UTC = r"(Z|[+-]00(:?00)?)$"
# No event has so many units. Of what is below, it takes a hundred thousand events of
# one facility and day until their sum leaves decimal(18, 4), and the build stops.
_TOO_MANY = 1_000_000_000


def text_literal(value: str) -> str:
    """A text as SQL."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def service_day(column: str, kind: str, time_zone: str | None) -> str:
    """SQL of the calendar date of service (`kind` is the column's SQL type).

    It is the date written, at its own offset; an instant in UTC is first taken to
    the feed's time zone, where it has one.
    """
    zone = text_literal(time_zone or "UTC")
    if kind == "DATE":
        day = column
    elif kind == "TIMESTAMP WITH TIME ZONE":
        day = f"try_cast(timezone({zone}, {column}) as date)"
    elif kind.startswith("TIMESTAMP"):
        day = f"try_cast({column} as date)"
    else:
        return written_day(_trimmed(column, kind), time_zone)
    return f"case when {_is_of_a_year(day)} then {day} end"


def received_mark(column: str, kind: str) -> str:
    """SQL of the sender's mark as a timestamp in UTC; unreadable is as if missing."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        mark = f"timezone('UTC', {column})"
    elif kind == "DATE" or kind.startswith("TIMESTAMP"):
        mark = f"try_cast({column} as timestamp)"
    else:
        return written_mark(_trimmed(column, kind))
    return f"case when {_is_of_a_year(mark)} then {mark} end"


def quantity(column: str, kind: str) -> str:
    """SQL of a plain decimal with at most 4 decimals; empty is 1.

    It is above 0 and below a billion. Zeros at its end are no decimals: databases
    export 2 as 2.000000000.
    """
    if kind == "DECIMAL(18,4)":
        # Nothing but its size can be wrong; as text it would cost ten times more.
        known = f"coalesce({column}, cast(1 as decimal(18, 4)))"
        return f"case when {_is_plausible(known)} then {known} end"
    return written_quantity(_trimmed(column, kind))


def written_quantity(text: str) -> str:
    """SQL of the same, of text without spaces around it."""
    number = f"try_cast({text} as decimal(18, 4))"
    return f"""case
        when {text} is null or {text} in ('', '1') then 1.0000
        when regexp_full_match({text}, '[+]?[0-9]+([.][0-9]{{1,4}}0*)?')
            and {_is_plausible(number)}
        then {number}
    end"""


def _is_plausible(number: str) -> str:
    return f"{number} > 0 and {number} < {_TOO_MANY}"


def text(column: str, kind: str) -> str:
    """SQL of text as sent; empty is null."""
    if kind == "VARCHAR":
        return f"nullif({column}, '')"
    if kind == "BLOB":
        return f"nullif(decode({column}), '')"
    return f"cast({column} as varchar)"


def enumerated(column: str, kind: str, default: str) -> str:
    """SQL of a word out of a list, as sent; empty is the default."""
    return f"coalesce(nullif({_trimmed(column, kind)}, ''), {text_literal(default)})"


def _trimmed(column: str, kind: str) -> str:
    """SQL of text without the spaces around it; few have any, and trim is slow."""
    sent = text(column, kind)
    return (
        f"(case when {sent} like ' %' or {sent} like '% ' "
        f"then trim({sent}) else {sent} end)"
    )


def written_day(written: str, time_zone: str | None) -> str:
    """SQL of the date of service, of text without spaces around it.

    The text is repeated many times over: a column's name is planned far faster than
    an expression.
    """
    moment = (
        f"coalesce(try_cast({written} as timestamp), "
        f"try_cast(regexp_replace({written}, '{_OFFSET}', '') as timestamp))"
    )
    day = f"try_cast(left({written}, 10) as date)"
    if time_zone:
        zone = text_literal(time_zone)
        local = f"cast(timezone({zone}, timezone('UTC', {moment})) as date)"
        day = (
            f"case when not regexp_matches({written}, '{_IS_UTC}') then {day} "
            f"when {_is_of_a_year(local)} then {local} end"
        )
    return f"""case
        when {_is_before_christ(written)} then null
        when {written} like '{_DAY}' then try_cast({written} as date)
        when ({_is_time(written)}) and {moment} is not null then {day}
    end"""


def written_mark(written: str) -> str:
    """SQL of the sender's mark, of text without spaces around it."""
    # DuckDB wants seconds before an offset.
    minutes = r"^(.{10}[T ]\d\d:\d\d)([+-]\d{2}(:?\d{2})?)$"
    seconds_added = rf"regexp_replace({written}, '{minutes}', '\1:00\2')"
    in_utc = f"timezone('UTC', try_cast({seconds_added} as timestamptz))"
    return f"""case
        when {_is_before_christ(written)} then null
        when {written} like '{_DAY}' then try_cast({written} as timestamp)
        when not ({_is_time(written)}) then null
        when {written} like '{_DAY}%+%' or {written} like '{_DAY}%-%'
        then case when {_is_of_a_year(in_utc)} then {in_utc} end
        else coalesce(
            try_cast({written} as timestamp),
            try_cast(rtrim({written}, 'Z') as timestamp)
        )
    end"""


def _is_time(written: str) -> str:
    return " or ".join(f"{written} like '{pattern}'" for pattern in _TIME)


def _is_before_christ(written: str) -> str:
    """SQL of whether DuckDB might take a text for a year before 1: `-001`, `(BC)`.

    A colon is what follows the digits, a sign and a space come before them.
    """
    return f"{written} not between '0001' and ':' or {written} like '%)'"


def _is_of_a_year(moment: str) -> str:
    """SQL of whether a date or timestamp lies in the years 1 to 9999; no infinity."""
    return f"{moment} >= date '0001-01-01' and {moment} < date '10000-01-01'"
