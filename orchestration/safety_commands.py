"""Commands of `billing` about who may read what, who did what, and what is saved."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.errors import BillingError, UsageError
from orchestration.options import (
    DEFAULT_HOME,
    AsOfOption,
    HomeOption,
    billed_home,
    day_of,
    stopped_in_words,
    there,
)
from orchestration.wording import counted

app = typer.Typer()
keys = typer.Typer(help="Keys of the encrypted files.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@app.command()
def verify(
    home: HomeOption = DEFAULT_HOME,
    expect: Annotated[
        list[str],
        typer.Option(
            "--expect",
            metavar="HEAD",
            help="A head kept elsewhere, of ledger or log; may be repeated.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Make every hash, total and chain again, and name what differs."""
    state = billed_home(home)
    from orchestration.audit import AuditLog
    from orchestration.verify import verify as check

    with stopped_in_words(), state.lock("billing verify"):
        found = check(state, expect)
        for line in found.in_words():
            print(line)
        AuditLog(state.audit).append(
            "verify", "ledger, audit log", detail={"problems": len(found.problems)}
        )
    if found.problems:
        raise BillingError(f"{counted(len(found.problems), 'problem')}, named above")


@app.command()
def backup(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where backups are kept.")
    ],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Save the ledger, the audit log and the closes, encrypted with the ledger key."""
    state = billed_home(home)
    from orchestration.backup import back_up

    with stopped_in_words():
        place = back_up(state, directory)
    print(f"Saved in {place}; restore it with: billing restore {place}")
    print("No key is in it: keep the ledger key elsewhere")


@app.command()
def restore(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A backup, or where backups are kept: the newest."
        ),
    ],
    home: HomeOption = DEFAULT_HOME,
    force: Annotated[
        bool, typer.Option("--force", help="Even if the home has booked more since.")
    ] = False,
) -> None:
    """Put a backup's ledger, audit log and closes into a home."""
    from orchestration.backup import restore as put_back
    from orchestration.home import Home

    with stopped_in_words():
        place = put_back(Home(home), directory, force)
    print(f"Restored from {place}; now run: billing run")


@app.command()
def publish(
    to: Annotated[
        str,
        typer.Option(
            "--to", help="postgresql://USER@HOST:PORT/DATABASE", metavar="URL"
        ),
    ],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve the last publication from PostgreSQL, to the people of seeds/access.csv."""
    from orchestration.home import Home
    from orchestration.serve import serve, told

    with stopped_in_words():
        sys.stdout.write(told(serve(Home(home), to)))


@app.command("access-report")
def access_report(
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="Compare with this server.", metavar="URL"),
    ] = None,
) -> None:
    """Show who may read what, and what differs on the server, for the review."""
    day = day_of("--as-of", as_of) if as_of else date.today()
    state = billed_home(home)
    from orchestration.access_report import access_report as report

    with stopped_in_words():
        sys.stdout.write(report(state, day, to))


@app.command("phi-scan")
def phi_scan(
    home: HomeOption = DEFAULT_HOME,
    landing: Annotated[
        Path | None,
        typer.Option(
            "--landing",
            metavar="DIR",
            help="Where files landed; default: the last run's.",
        ),
    ] = None,
    also: Annotated[
        list[Path],
        typer.Option(
            "--also", metavar="PATH", help="A file or folder to look in as well."
        ),
    ] = [],  # noqa: B006
) -> None:
    """Look for anything of a patient in all that was written; say where, not what."""
    state = billed_home(home)
    if landing is not None:
        there("--landing", landing)
    for place in also:
        # A place that isn't there would pass as one with nothing of a patient.
        if not place.exists():
            raise UsageError(
                f"--also {place}: it is not there, so that it can't be looked into; "
                "give a file or folder that is"
            )
    from orchestration.phi.scan import phi_scan as scan

    with stopped_in_words():
        found = scan(state, landing, also)
    print("\n".join(found.in_words()))
    if found.found or found.unread:
        raise BillingError(
            f"{counted(found.found.total(), 'value')} of patients found, "
            f"{counted(len(found.unread), 'place')} not looked into (named above). "
            "Take those files away from whoever should not read them, and see "
            "docs/breach.md"
        )
    print(
        "Nothing of a patient was found"
        if found.looked_for
        else "Nothing that looks like a patient's was found"
    )


@app.command()
def breach(
    first: Annotated[
        str, typer.Option("--from", metavar="DATE", help="First day (UTC).")
    ],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last day (UTC).")],
    home: HomeOption = DEFAULT_HOME,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose doing it was.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--object",
            metavar="NAME",
            help="What was lost or read: warehouse.duckdb, landing, keys, spill, "
            "published, ledger.duckdb, backup, a customer, a feed, a usage file.",
        ),
    ] = None,
    discovered: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="The day it was, or should have been, known."
        ),
    ] = None,
) -> None:
    """Whom a breach may have reached, what of them, and by when to notify."""
    days = [day_of("--from", first), day_of("--to", last)]
    known = day_of("--discovered", discovered) if discovered else None
    from orchestration.breach import breach as assess
    from orchestration.breach_report import in_words
    from orchestration.home import Home

    with stopped_in_words():
        found = assess(Home(home), *days, actor, target, known)
    print("\n".join(in_words(found)))


@app.command()
def purge(
    home: HomeOption = DEFAULT_HOME,
    landing: Annotated[
        Path | None,
        typer.Option(
            "--landing",
            metavar="DIR",
            help="Where files landed; default: the last run's.",
        ),
    ] = None,
    as_of: AsOfOption = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Do it; without it, only show it.")
    ] = False,
) -> None:
    """Show what has outlived its term (retention/), or delete it for good."""
    day = day_of("--as-of", as_of) if as_of else date.today()
    if landing is not None:
        there("--landing", landing)
    from orchestration.home import Home
    from orchestration.purge import purge as do
    from orchestration.purge import told as in_words

    with stopped_in_words():
        done = do(Home(home), day, delete, landing)
    print("\n".join(in_words(done, sys.stdout.isatty())))


@app.command()
def audit(
    home: HomeOption = DEFAULT_HOME,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who did it.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="What was done.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--object", metavar="NAME", help="An invoice, a customer, a file."
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Last day.")
    ] = None,
) -> None:
    """Show who did what and when, from the audit log."""
    days = [
        day_of(option, day) if day else None
        for option, day in (("--from", first), ("--to", last))
    ]
    state = billed_home(home)
    from orchestration.audit import AuditLog
    from orchestration.audit_log import search, told

    rows = search(AuditLog(state.audit), actor, action, target, *days)
    sys.stdout.write(told(rows))


@app.command()
def extract(
    customers: Annotated[
        list[str],
        typer.Option(
            "--customer", metavar="CUSTOMER", help="Whose usage; may be repeated."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="A new Parquet file.")
    ],
    recipient: Annotated[
        str, typer.Option("--recipient", metavar="NAME", help="Who gets it.")
    ],
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="TEXT", help="What for.")
    ],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Write usage without identifiers of patients: year, State, kind, quantity."""
    from orchestration import deidentified
    from orchestration.home import Home

    with stopped_in_words():
        made = deidentified.extract(
            Home(home), out, customers, recipient, purpose, date.today()
        )
    sys.stdout.write(deidentified.told(made))


@keys.command()
def rotate(
    name: Annotated[
        str, typer.Argument(metavar="KEY", help="warehouse, ledger or token.")
    ],
    home: HomeOption = DEFAULT_HOME,
    landing: Annotated[
        Path | None,
        typer.Option(
            "--landing",
            metavar="DIR",
            help="With token: where files landed, to make tokens again; default: the "
            "last run's.",
        ),
    ] = None,
) -> None:
    """Write an encrypted file anew under a new key, or patients' tokens."""
    if name not in ("warehouse", "ledger", "token"):
        raise UsageError(f"{name}: give warehouse, ledger or token")
    state = billed_home(home)
    if landing is not None:
        there("--landing", landing)
    from orchestration import token_rotation
    from orchestration.rotation import rotate_file, told

    with stopped_in_words():
        if name == "token":
            done = token_rotation.rotate_token(state, landing)
            sys.stdout.write(token_rotation.told(done))
        else:
            sys.stdout.write(told(rotate_file(state, name)))
