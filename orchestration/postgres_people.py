"""Roles and people of a PostgreSQL server, made equal to the declared lists (HP-12)."""

from dataclasses import dataclass, field
from datetime import date, timedelta

import psycopg
from psycopg import sql

from orchestration.access_list import Access
from orchestration.access_roles import PEOPLE, ROLES
from orchestration.errors import BillingError

# What no reader may be: it would pass by grants and row-level security.
_POWERS = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")

_ANY_POWER = " or ".join(f"others.{name}" for name in _POWERS)


@dataclass
class Changes:
    """What became of the people: (person, role) given and taken, sessions ended."""

    granted: list[tuple[str, str]] = field(default_factory=list)
    revoked: list[tuple[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    sessions_ended: int = 0


def make_people_equal(
    connection: psycopg.Connection, accesses: list[Access], day: date
) -> Changes:
    """Give each person the roles of the list on a day, and take all others away.

    Who has no role any more can't log in; sessions of everybody who lost one are
    ended. Raises BillingError if a person of the list is a superuser or the like.
    """
    active = [access for access in accesses if access.state(day) == "active"]
    wanted = {(access.person, access.role) for access in active}
    changes = Changes()
    with connection.transaction():
        _make_roles(connection)
        for person in sorted({person for person, _ in wanted}):
            _make_person(connection, person)
        held = _held(connection)
        for person, role in sorted(held - wanted):
            _run(connection, "revoke {} from {}", role, person)
            changes.revoked.append((person, role))
        for person, role in sorted(wanted - held):
            _run(connection, "grant {} to {}", role, person)
            changes.granted.append((person, role))
        people = _members(connection, PEOPLE)
        changes.left = sorted(people - {person for person, _ in wanted})
        for person in changes.left:
            _run(connection, "alter role {} nologin", person)
        for person in sorted({person for person, _ in wanted}):
            _limit(connection, person, [a for a in active if a.person == person])
    lost = {person for person, _ in changes.revoked} | set(changes.left)
    changes.sessions_ended = _end_sessions(connection, sorted(lost))
    # Not before: if their sessions can't be ended, the next publication tries again.
    for person in changes.left:
        _run(connection, "revoke {} from {}", PEOPLE, person)
    return changes


def memberships(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """(person, role) as the server has it, of the declared roles."""
    return _held(connection)


def _make_roles(connection: psycopg.Connection) -> None:
    for name in (*ROLES, PEOPLE):
        powers = _powers(connection, name)
        if powers is None:
            _run(connection, "create role {} nologin", name)
        elif powers:
            raise BillingError(
                f"the server's role {name} has {', '.join(powers)}; a role of readers "
                "must not. Take that away and publish again"
            )


def _make_person(connection: psycopg.Connection, person: str) -> None:
    powers = _powers(connection, person)
    if powers:
        raise BillingError(
            f"seeds/access.csv gives {person} a reader's role, but on the server "
            f"{person} has {', '.join(powers)} and reads everything anyway; give the "
            "person another name there, or take that away"
        )
    if powers is None:
        _run(connection, "create role {} login", person)
    _run(connection, "grant {} to {}", PEOPLE, person)
    _run(connection, "alter role {} login", person)


def _powers(connection: psycopg.Connection, role: str) -> list[str] | None:
    """What a role may do besides reading; None if there is no such role.

    Also by being a member, at whatever remove, of who publishes or of who has a power.
    """
    row = connection.execute(
        f"select {', '.join(_POWERS)}, array(select others.rolname::text "
        "from pg_roles as others where others.oid <> readers.oid "
        "and not readers.rolsuper and pg_has_role(readers.oid, others.oid, 'member') "
        f"and (others.rolname = current_user or {_ANY_POWER}) order by 1) "
        "from pg_roles as readers where rolname = %s",
        [role],
    ).fetchone()
    if row is None:
        return None
    *own, others = row
    return [
        name.removeprefix("rol") for name, has in zip(_POWERS, own, strict=True) if has
    ] + [f"the rights of {name}" for name in others]


def _held(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """Every membership in a role of readers, of whomever but the publisher."""
    rows = connection.execute(
        "select member.rolname, role.rolname from pg_auth_members as held "
        "join pg_roles as role on held.roleid = role.oid "
        "join pg_roles as member on held.member = member.oid "
        "where role.rolname = any(%s) and member.rolname <> current_user",
        [list(ROLES)],
    ).fetchall()
    return set(rows)


def _members(connection: psycopg.Connection, role: str) -> set[str]:
    rows = connection.execute(
        "select member.rolname from pg_auth_members as held "
        "join pg_roles as role on held.roleid = role.oid "
        "join pg_roles as member on held.member = member.oid where role.rolname = %s",
        [role],
    ).fetchall()
    return {name for (name,) in rows}


def _limit(connection: psycopg.Connection, person: str, accesses: list[Access]) -> None:
    """Set the limits of a person's sessions: the widest of its roles."""
    roles = [ROLES[access.role] for access in accesses]
    settings = {
        "statement_timeout": max(role.statement for role in roles),
        "idle_in_transaction_session_timeout": max(r.in_transaction for r in roles),
        "idle_session_timeout": max(role.idle for role in roles),
    }
    for name, seconds in settings.items():
        _run(
            connection,
            "alter role {} set {} = {}",
            person,
            name,
            sql.Literal(f"{seconds}s"),
        )
    _run(connection, "alter role {} set default_transaction_read_only = on", person)
    sessions = sql.Literal(max(role.sessions for role in roles))
    _run(connection, "alter role {} connection limit {}", person, sessions)
    ends = [access.through for access in accesses]
    until = (
        "infinity"
        if None in ends or max(ends) == date.max
        else (max(ends) + timedelta(days=1)).isoformat()
    )
    _run(connection, "alter role {} valid until {}", person, sql.Literal(until))


def _end_sessions(connection: psycopg.Connection, people: list[str]) -> int:
    """End the sessions of people; what a session had by SET ROLE ends with it."""
    try:
        return connection.execute(
            "select count(*) filter (where pg_terminate_backend(pid, 5000)) "
            "from pg_stat_activity where usename = any(%s)",
            [people],
        ).fetchone()[0]
    except psycopg.errors.InsufficientPrivilege:
        raise BillingError(
            f"{', '.join(people)} can read no more, but open sessions could not be "
            "ended: grant pg_signal_backend to the user that publishes, and publish "
            "again"
        ) from None


def _run(connection: psycopg.Connection, statement: str, *parts: object) -> None:
    """Run a statement with names quoted as identifiers, whatever is in them."""
    composed = [
        part if isinstance(part, sql.Composable) else sql.Identifier(part)
        for part in parts
    ]
    connection.execute(sql.SQL(statement).format(*composed))
