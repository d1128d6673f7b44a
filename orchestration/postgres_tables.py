"""Tables of the publication on a PostgreSQL server: rows, row-level security, grants.

All rows are replaced in one transaction: whoever reads, under whatever isolation, sees
all of the last publication or all of this one, and nobody waits.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb
import psycopg
from psycopg import sql

from orchestration.access_list import Access
from orchestration.access_roles import (
    AUDITOR,
    CUSTOMER_READER,
    CUSTOMER_ROWS,
    ROLES,
    SCHEMAS,
    readers,
)
from orchestration.errors import BillingError
from orchestration.whole import identifier

ACCESS_SCHEMA = "access"
GRANTED = "access.granted"
MINE = "access.mine"
_BATCH = 10_000
_TYPES = {
    "BIGINT": "bigint",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "HUGEINT": "numeric(38,0)",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "VARCHAR": "text",
}


@dataclass(frozen=True)
class Table:
    """A table to serve: columns as (name, PostgreSQL type), and a query for rows."""

    name: str
    columns: tuple[tuple[str, str], ...]
    query: str

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, name: str, query: str
    ) -> "Table":
        """Raises BillingError for a type that would not stay exact."""
        described = connection.execute(f"describe {query}").fetchall()
        columns = tuple((row[0], _type(name, row[0], row[1])) for row in described)
        return cls(name, columns, query)

    @property
    def quoted(self) -> sql.Identifier:
        """`schema.table` as an identifier."""
        return sql.Identifier(*self.name.split(".", 1))


def make_access_tables(
    connection: psycopg.Connection, accesses: Iterable[Access]
) -> None:
    """The list itself, of which a person sees its own rows, and the auditor all.

    The view shows a person what it holds now; like every view it runs as its caller.
    """
    connection.execute(f"create schema if not exists {ACCESS_SCHEMA}")
    connection.execute(
        f"create table if not exists {GRANTED} (person text, role text, customer text, "
        "since date, through date, approved_by text)"
    )
    connection.execute(f"delete from {GRANTED}")
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into {GRANTED} values (%s, %s, %s, %s, %s, %s)",
            [
                (a.person, a.role, a.customer, a.since, a.through, a.approved_by)
                for a in accesses
            ],
        )
    connection.execute(
        f"create or replace view {MINE} with (security_invoker = true) as "
        f"select role, customer, since, through, approved_by from {GRANTED} "
        "where person = current_user"
    )
    rules = {name: "person = current_user" for name in ROLES}
    _secure(connection, GRANTED, {**rules, AUDITOR: "true"})


def replace_rows(
    connection: psycopg.Connection, source: duckdb.DuckDBPyConnection, table: Table
) -> int:
    """Put the rows of a table in the place of those before; returns how many.

    The table is made where it is missing.
    """
    schema, _ = table.name.split(".", 1)
    connection.execute(
        sql.SQL("create schema if not exists {}").format(sql.Identifier(schema))
    )
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
        for column, kind in table.columns
    )
    connection.execute(
        sql.SQL("create table if not exists {} ({})").format(table.quoted, columns)
    )
    secure(connection, table.name)
    # COPY does not go into a table with row-level security: by way of one without.
    connection.execute(
        sql.SQL("create temporary table incoming ({}) on commit drop").format(columns)
    )
    rows = 0
    with connection.cursor().copy("copy incoming from stdin") as copy:
        for row in _rows(source, table.query):
            copy.write_row(row)
            rows += 1
    connection.execute(sql.SQL("delete from {}").format(table.quoted))
    connection.execute(
        sql.SQL("insert into {} select * from incoming").format(table.quoted)
    )
    connection.execute("drop table incoming")
    return rows


def secure(connection: psycopg.Connection, table: str) -> None:
    """Row-level security of a published table: enabled, and forced on its owner."""
    rules = {name: "true" for name in readers(table)}
    if CUSTOMER_READER in rules:
        rules[CUSTOMER_READER] = CUSTOMER_ROWS[table]
    _secure(connection, table, rules)


def drop_what_changed(connection: psycopg.Connection, tables: Iterable[Table]) -> None:
    """Drop tables that are not published any more or have other columns now.

    If any is dropped all are, as the rules of one table may read another: they are
    made anew in the same transaction.
    """
    rows = connection.execute(
        "select schemaname, tablename, array(select array[attname::text, "
        "format_type(atttypid, atttypmod)] from pg_attribute where attrelid = "
        "format('%%I.%%I', schemaname, tablename)::regclass and attnum > 0 "
        "and not attisdropped order by attnum) from pg_tables "
        "where schemaname = any(%s) and tableowner = current_user",
        [list(SCHEMAS)],
    ).fetchall()
    wanted = {
        table.name: [list(column) for column in table.columns] for table in tables
    }
    if any(wanted.get(f"{schema}.{name}") != have for schema, name, have in rows):
        names = sql.SQL(", ").join(sql.Identifier(*row[:2]) for row in rows)
        connection.execute(sql.SQL("drop table {}").format(names))


def refuse_views_that_run_as_their_owner(connection: psycopg.Connection) -> None:
    """Raises BillingError for a view through which a reader would see all rows."""
    rows = connection.execute(
        "select distinct views.oid::regclass::text from pg_class as views "
        "join pg_rewrite on pg_rewrite.ev_class = views.oid "
        "join pg_depend on pg_depend.objid = pg_rewrite.oid "
        "join pg_class as read on pg_depend.refobjid = read.oid "
        "and read.oid <> views.oid "
        "join pg_namespace as spaces on read.relnamespace = spaces.oid "
        "where spaces.nspname = any(%s) and (views.relkind = 'm' or not exists ("
        "select from unnest(views.reloptions) as option where lower(option) in "
        "('security_invoker=true', 'security_invoker=on', 'security_invoker=1', "
        "'security_invoker=yes'))) order by 1",
        [[*SCHEMAS, ACCESS_SCHEMA]],
    ).fetchall()
    if rows:
        raise BillingError(
            f"{', '.join(name for (name,) in rows)}: a view of published tables that "
            "runs as its owner shows every customer's rows. Set it to run as its "
            "caller (alter view … set (security_invoker = true)), or drop it"
        )


def make_grants_equal(connection: psycopg.Connection, tables: Iterable[str]) -> None:
    """Let each role read what the declared list says, and nobody anything else."""
    wanted = wanted_grants(tables)
    held = held_grants(connection)
    for kind, name, role, privilege in sorted(held - wanted):
        if kind == "column":
            table, _, column = name.rpartition(".")
            what = sql.SQL("{} ({}) on {}").format(
                sql.SQL(privilege), sql.Identifier(column), _named(table)
            )
        else:
            what = sql.SQL("{} on {} {}").format(
                sql.SQL(privilege), sql.SQL(kind), _named(name)
            )
        connection.execute(
            sql.SQL("revoke {} from {} cascade").format(what, _role(role))
        )
    for kind, name, role, privilege in sorted(wanted - held):
        connection.execute(
            sql.SQL("grant {} on {} {} to {}").format(
                sql.SQL(privilege), sql.SQL(kind), _named(name), _role(role)
            )
        )
    if held_grants(connection) != wanted:
        raise BillingError(
            "the server's grants can't be made equal to the declared list: somebody "
            "else granted them. Publish as the user that owns the tables"
        )


def wanted_grants(tables: Iterable[str]) -> set[tuple[str, str, str, str]]:
    """(kind, name, role, privilege) as declared, for the tables there are."""
    grants = set()
    for table in tables:
        for role in readers(table):
            grants.add(("table", table, role, "SELECT"))
            grants.add(("schema", table.split(".", 1)[0], role, "USAGE"))
    for role in ROLES:
        grants.add(("schema", ACCESS_SCHEMA, role, "USAGE"))
        grants.update(("table", t, role, "SELECT") for t in (GRANTED, MINE))
    return grants


def held_grants(connection: psycopg.Connection) -> set[tuple[str, str, str, str]]:
    """The same as the server has it, of everybody but the owner; '' is PUBLIC."""
    rows = connection.execute(
        "with spaces as (select * from pg_namespace where nspname = any(%(schemas)s)), "
        "things as (select spaces.nspname, pg_class.* from pg_class "
        "join spaces on pg_class.relnamespace = spaces.oid "
        "where relkind in ('r', 'v', 'm', 'p', 'f')), "
        "held as ("
        "select 'schema' as kind, nspname::text as name, nspowner as owner, "
        "acl.grantee, acl.privilege_type from spaces, aclexplode(nspacl) as acl "
        "union all select 'table', nspname || '.' || relname, relowner, "
        "acl.grantee, acl.privilege_type from things, aclexplode(relacl) as acl "
        "union all select 'column', nspname || '.' || relname || '.' || attname, "
        "relowner, acl.grantee, acl.privilege_type from things "
        "join pg_attribute on attrelid = things.oid, aclexplode(attacl) as acl) "
        "select kind, name, coalesce(pg_roles.rolname, ''), privilege_type from held "
        "left join pg_roles on held.grantee = pg_roles.oid "
        "where held.grantee <> held.owner",
        {"schemas": [*SCHEMAS, ACCESS_SCHEMA]},
    ).fetchall()
    return set(rows)


def _secure(connection: psycopg.Connection, table: str, rules: dict[str, str]) -> None:
    """One policy for the owner, who fills the table, and one for each reader.

    A policy's name ends in the digest of its rule, so that one that changed is made
    anew and all others are left alone: changing any would make readers wait.
    """
    name = _named(table)
    row = connection.execute(
        "select relrowsecurity and relforcerowsecurity, "
        "array(select polname::text from pg_policy where polrelid = pg_class.oid) "
        "from pg_class where oid = %s::regclass",
        [".".join(identifier(part) for part in table.split(".", 1))],
    ).fetchone()
    is_secure, have = row
    wanted = {f"publisher_{_short('true')}": (None, "true")}
    for role, rule in rules.items():
        wanted[f"{role}_{_short(rule)}"] = (role, rule)
    for policy in sorted(set(have) - set(wanted)):
        connection.execute(
            sql.SQL("drop policy {} on {}").format(sql.Identifier(policy), name)
        )
    for policy in sorted(set(wanted) - set(have)):
        role, rule = wanted[policy]
        head = sql.SQL("create policy {} on {}").format(sql.Identifier(policy), name)
        rest = (
            sql.SQL("for all to current_user using (true) with check (true)")
            if role is None
            else sql.SQL("for select to {} using ({})").format(
                sql.Identifier(role), sql.SQL(rule)
            )
        )
        connection.execute(sql.SQL("{} {}").format(head, rest))
    if not is_secure:
        for word in ("enable", "force"):
            connection.execute(
                sql.SQL("alter table {} {} row level security").format(
                    name, sql.SQL(word)
                )
            )


def _short(rule: str) -> str:
    return hashlib.sha256(rule.encode()).hexdigest()[:8]


def _named(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split(".", 1))


def _role(name: str) -> sql.Composable:
    return sql.Identifier(name) if name else sql.SQL("public")


def _type(table: str, column: str, kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return kind.lower().replace("decimal", "numeric").replace(" ", "")
    if kind not in _TYPES:
        raise BillingError(
            f"{table}.{column} is {kind}, which can't be served exactly: make it a "
            "decimal, a date, text or a whole number"
        )
    return _TYPES[kind]


def _rows(source: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple]:
    result = source.execute(query)
    while rows := result.fetchmany(_BATCH):
        yield from rows
