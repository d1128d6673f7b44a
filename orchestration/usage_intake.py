"""Usage events: from the files of a landing directory into the restricted schema.

Rows go from files into the encrypted database in SQL, some files at a time in one
transaction, so that a run that is killed leaves whole files only. Patients become
tokens on the way and nothing else of them is stored (HP-2, HP-3, HP-6). A file is known
by its content: one seen before is not read again, unless rows of it were kept without
their patient and what was missing has come.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from orchestration import feed_links, tokens, usage_months, usage_store, usage_terms
from orchestration.counted_files import landed_usage
from orchestration.errors import BillingError
from orchestration.landed_files import LandedFile
from orchestration.readers import events, rows_in_hand, sent_rows, synthea
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.landed_columns import Columns, columns_of
from orchestration.usage_feeds import (
    FORMATS,
    NOTES,
    Feed,
    feeds_of_seed,
    is_named_as,
    suffixes_of,
)


@dataclass
class UsageIntake:
    """What one load did.

    `failed` are files that could not be read, of which nothing was stored, each with
    its name and what to do; rows and unreadable rows are those of the files read now.
    `discreet` has for each file's name what logs call it.
    """

    files_read: int = 0
    files_known: int = 0
    rows_read: int = 0
    unreadable: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    discreet: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """A file to read, and the files known by the same name whose rows it replaces."""

    feed: Feed
    file: LandedFile
    replaces: tuple[str, ...] = ()


def load_usage(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    as_of: date,
    token_key: str,
    progress: Callable[[str], None] = lambda message: None,
) -> UsageIntake:
    """Read every usage file that is new, changed or mended.

    `connection` has the warehouse as its default database, with the contract tables
    loaded. Raises BillingError if the seed cannot be read, if the warehouse's tokens
    were made with another key, or if there is no room; errors never quote a row.
    """
    feeds = feeds_of_seed(connection)
    key_id = tokens.token_key_id(token_key)
    usage_store.make_tables(connection)
    landed = landed_usage(connection, landing)
    usage_store.check_token_key(connection, key_id)
    usage_store.forget_purged(connection)
    usage_store.forget_failed(connection)
    names = sorted(set(landed) | usage_store.known_feeds(connection))
    phi_feeds = {name for name in names if feeds.get(name, Feed(name)).has_phi}
    intake = UsageIntake(
        discreet={
            file.name: file.discreet_name for files in landed.values() for file in files
        }
    )
    try:
        usage_terms.make(connection, names, phi_feeds, as_of, token_key)
        load_no = usage_months.next_load(connection)
        loader = _Loader(connection, as_of, key_id, load_no, intake, progress)
        read = set()
        purged = usage_store.purged_files(connection)
        for name, files in landed.items():
            files = _not_purged(name, files, purged, intake)
            landed[name] = files
            feed = feeds.get(name, Feed(name))
            read |= loader.load_new(feed, files)
        _warn_of_files_told_twice(connection, read, intake)
        mended = usage_terms.mended_files(connection, as_of) - read
        mended |= feed_links.outdated_files(connection, as_of)
        mended |= usage_terms.moved_files(connection)
        loader.load_again(feeds, landed, mended)
        usage_terms.keep_customers(connection)
        usage_months.place(connection, load_no)
        feed_links.count_merged(connection, as_of)
    except duckdb.Error as error:
        raise BillingError(
            f"Loading usage stopped inside the database ({type(error).__name__}); are "
            "the contract tables loaded? Files loaded so far are kept; run again."
        ) from None
    finally:
        usage_terms.drop(connection)
    intake.failed.sort()
    return intake


@dataclass
class _Load:
    """Files of one feed and format that are read in one go, and what came of them."""

    format_name: str
    files: int
    read: set[tuple[str, str]] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)


class _Loader:
    """The files of one load, in order, and what came of them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        as_of: date,
        key_id: str,
        load_no: int,
        intake: UsageIntake,
        progress: Callable[[str], None],
    ) -> None:
        self.connection = connection
        self.as_of = as_of
        self.key_id = key_id
        self.load_no = load_no
        self.intake = intake
        self.progress = progress

    def load_new(self, feed: Feed, files: list[LandedFile]) -> set[tuple[str, str]]:
        """Read a feed's files that are not known; gives (feed, file id) of those."""
        known = usage_store.known_files(self.connection, feed.name)
        format_name = feed.format or next(
            (file.format for file in known.values()), None
        )
        format_name = format_name or self._format_found(files)
        files = self._whole(feed, self._candidates(files, format_name))
        # Under the last of its names: of rows without a mark the last file's hold.
        landed = {file.content_hash: file for file in files}
        as_now = (format_name, feed.has_phi, feed.time_zone)
        current = {
            file_id
            for file_id, file in known.items()
            if (file.format, file.has_phi, file.time_zone) == as_now
        } - self._told_since(feed, landed, format_name)
        lay = usage_store.known_names(self.connection, feed.name)
        for file_id in known.keys() & landed.keys():
            if known[file_id].source_file != landed[file_id].name:
                usage_store.rename(
                    self.connection,
                    feed.name,
                    file_id,
                    landed[file_id].name,
                    self.load_no,
                )
        gone = {
            file.source_file: file_id
            for file_id, file in known.items()
            if file_id not in landed
        }
        lies = {(file.content_hash, file.name) for file in files}
        stays = {file_id for file_id, _ in lay & lies}
        replaced: dict[str, list[str]] = {file_id: [] for file_id in landed}
        for file_id, name in sorted(lies):
            # What a known file left when it moved here was archived, not changed.
            if name in gone and (file_id not in current or file_id in stays):
                replaced[file_id].append(gone[name])
        for file_id in landed.keys() & current:
            for before in replaced[file_id]:
                usage_store.supersede(self.connection, feed.name, before, self.load_no)
        last = {(file_id, file.name) for file_id, file in landed.items()}
        usage_store.note_names(self.connection, feed.name, lies, last)
        new = [
            _Reading(feed, file, tuple(replaced[file_id]))
            for file_id, file in landed.items()
            if file_id not in current
        ]
        self.intake.files_known += len(landed) - len(new)
        return self._load(new, format_name)

    def _told_since(
        self, feed: Feed, landed: dict[str, LandedFile], format_name: str | None
    ) -> set[str]:
        """Files read without a mark that something beside them tells now."""
        unmarked = usage_store.unmarked_files(self.connection, feed.name)
        return {
            file_id
            for file_id in unmarked & landed.keys()
            if FORMATS[format_name].is_told_when(landed[file_id].path)
        }

    def load_again(
        self,
        feeds: dict[str, Feed],
        landed: dict[str, list[LandedFile]],
        mended: set[tuple[str, str]],
    ) -> None:
        """Read files again whose rows may now have their patient."""
        for name, files in landed.items():
            known = usage_store.known_files(self.connection, name)
            again = {
                file.content_hash: _Reading(feeds.get(name, Feed(name)), file)
                for file in files
                if (name, file.content_hash) in mended
            }
            if again:
                self.intake.files_known -= len(again)
                format_name = known[next(iter(again))].format
                self._load(list(again.values()), format_name)

    def _load(
        self, readings: list[_Reading], format_name: str | None
    ) -> set[tuple[str, str]]:
        """Read files of one feed; gives (feed, file id) of those that could be."""
        opened = []
        for reading in readings:
            try:
                columns = self._columns(reading.file, format_name)
                place = FORMATS[format_name].order(columns), reading.file.name
                opened.append((place, reading, columns))
            except UnreadableFile as error:
                self._fail(reading.feed, reading.file, error)
        opened.sort(key=lambda entry: entry[0])
        reading = _Load(format_name, len(opened))
        self._load_together([entry[1:] for entry in opened], reading)
        if reading.left_out:
            kinds = ", ".join(
                f"{kind}: {n:,}" for kind, n in sorted(reading.left_out.items())
            )
            self.intake.warnings.append(
                f"usage/{readings[0].feed.name}: {reading.left_out.total():,} records "
                f"are of kinds that are not usage and were left out ({kinds})."
            )
        return reading.read

    def _load_together(
        self, entries: list[tuple[_Reading, Columns]], load: _Load
    ) -> None:
        """Take up file after file and store them, as many at once as there is room."""
        hand = rows_in_hand.Hand(self.connection)
        taken: list[tuple[_Reading, Columns]] = []
        try:
            for number, (reading, columns) in enumerate(entries, start=1):
                if self._take(hand, reading, columns, load):
                    taken.append((reading, columns))
                if taken and (hand.is_full or number == len(entries)):
                    self._store(hand, taken, load)
                    hand.clear()
                    taken = []
        finally:
            hand.clear()

    def _take(
        self,
        hand: rows_in_hand.Hand,
        reading: _Reading,
        columns: Columns,
        load: _Load,
    ) -> bool:
        """Open a file and take up its rows; False if that can't be done."""
        try:
            opened = FORMATS[load.format_name].open_rows(
                self.connection, columns, reading.feed.time_zone
            )
            if opened.is_document:
                feed_links.locate(self.connection, reading.feed.name, self.as_of)
            hand.take(reading.file.content_hash, reading.file.name, opened)
        except UnreadableFile as error:
            self._fail(reading.feed, reading.file, error)
        except duckdb.Error as error:
            problem = sent_rows.told(error)
            if not isinstance(problem, UnreadableFile):
                raise problem from None
            self._fail(reading.feed, reading.file, problem)
        else:
            return True
        sent_rows.close_rows(self.connection)
        return False

    def _store(
        self,
        hand: rows_in_hand.Hand,
        taken: list[tuple[_Reading, Columns]],
        load: _Load,
    ) -> None:
        """Store what is in hand; if a file of several is at fault, each by itself."""
        feed = taken[0][0].feed
        files = [
            usage_store.ReadFile(
                usage_store.StoredFile(
                    feed.name,
                    reading.file.content_hash,
                    reading.file.name,
                    load.format_name,
                    feed.has_phi,
                    feed.time_zone,
                ),
                reading.replaces,
                hand.opened[reading.file.content_hash],
                lambda file=reading.file: file.is_unchanged,
            )
            for reading, _ in taken
        ]
        try:
            unreadable = self._stored(hand, feed, files)
        except UnreadableFile as error:
            if len(taken) == 1:
                self._fail(feed, taken[0][0].file, error)
                return
            hand.clear()
            for entry in taken:
                self._load_together([entry], load)
            return
        rows = sum(file.opened.rows for file in files)
        self.intake.files_read += len(files)
        self.intake.rows_read += rows
        self.intake.unreadable += unreadable
        for file in files:
            load.read.add((feed.name, file.stored.file_id))
            load.left_out.update(file.opened.left_out)
            self.intake.warnings += [
                f"{file.stored.source_file} {text}" for text in file.opened.warnings
            ]
        others = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        self.progress(
            f"{files[0].stored.source_file}{others}: {rows:,} rows "
            f"({len(load.read):,} of {load.files:,} files of {feed.name})"
        )

    def _stored(
        self, hand: rows_in_hand.Hand, feed: Feed, files: list[usage_store.ReadFile]
    ) -> int:
        try:
            hand.show()
            usage_terms.place_rows(self.connection, feed.name, self.as_of)
            return usage_store.store(
                self.connection, files, self.key_id, self.as_of, self.load_no
            )
        except duckdb.Error as error:
            raise sent_rows.told(error) from None
        finally:
            usage_terms.drop_placed(self.connection)

    def _columns(self, file: LandedFile, format_name: str | None) -> Columns:
        columns = columns_of(self.connection, file.path)
        if format_name is None:
            raise UnreadableFile(
                "has the header of no usage format (events: "
                f"{', '.join(events.REQUIRED)}; synthea: its encounters.csv or "
                "procedures.csv; fhir: a resource a line; hl7v2: messages that begin "
                "with MSH); mend it, or name the feed's format in "
                "seeds/usage_feeds.csv"
            )
        return columns

    def _format_found(self, files: list[LandedFile]) -> str | None:
        """The format of the first file whose header is known, likely ones first."""
        for file in sorted(files, key=lambda file: synthea.is_beside(file.path)):
            for name, reader in FORMATS.items():
                if file.problem or not is_named_as(file, name):
                    continue
                try:
                    if reader.is_format(columns_of(self.connection, file.path)):
                        return name
                except UnreadableFile:
                    continue
        return None

    def _candidates(
        self, files: list[LandedFile], format_name: str | None
    ) -> list[LandedFile]:
        candidates = []
        for file in files:
            if format_name and FORMATS[format_name].is_beside(file.path):
                continue
            if is_named_as(file, format_name):
                candidates.append(file)
            elif not file.path.name.lower().startswith(NOTES):
                self.intake.warnings.append(
                    f"{file.name} is not read: usage files end in "
                    f"{', '.join(suffixes_of(format_name))}."
                )
        return candidates

    def _whole(self, feed: Feed, files: list[LandedFile]) -> list[LandedFile]:
        whole = []
        for file in files:
            if file.refusal:
                self._fail(feed, file, UnreadableFile(file.refusal))
            else:
                whole.append(file)
        return whole

    def _fail(self, feed: Feed, file: LandedFile, error: UnreadableFile) -> None:
        self.intake.failed.append((file.name, str(error)))
        usage_store.note_failed(
            self.connection,
            (feed.name, file.content_hash, file.name, feed.has_phi, str(error)),
        )


def _not_purged(
    feed: str,
    files: list[LandedFile],
    purged: set[tuple[str, str]],
    intake: UsageIntake,
) -> list[LandedFile]:
    """The files but for those that were purged, each of which is told of."""
    intake.warnings += [
        f"{file.name} was purged under retention and is not read: delete it."
        for file in files
        if (feed, file.content_hash) in purged
    ]
    return [file for file in files if (feed, file.content_hash) not in purged]


def _warn_of_files_told_twice(
    connection: duckdb.DuckDBPyConnection,
    read: set[tuple[str, str]],
    intake: UsageIntake,
) -> None:
    """A feed that was renamed is another feed: its events count once more."""
    shared = usage_store.also_in_other_feeds(connection, read)
    for (feed, other), files in sorted(shared.items()):
        intake.warnings.append(
            f"usage/{feed}: {files:,} of the files read now came byte for byte in feed "
            f"{other} too; their events count for both. If {other} was renamed, "
            "give it its name back and remove warehouse.duckdb before invoices are "
            "issued."
        )
