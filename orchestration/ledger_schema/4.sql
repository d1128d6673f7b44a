-- The ledger, schema version 4: what was purged under retention. Rows are only added.

-- One row per purge, chained with all other records: its certificate.
create table ledger.book.purges (
    purge_no bigint not null,
    as_of date not null,
    files bigint not null,
    rows bigint not null,
    individuals bigint not null,
    settled_digest varchar not null,
    files_digest varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);

-- Usage of a customer's days before settled_before is settled: what was booked of them
-- stands in for the events (C8). The latest such day of a customer holds.
create table ledger.book.settled_usage (
    purge_no bigint not null,
    customer_id varchar not null,
    settled_before date not null
);

-- Usage files whose rows were purged: never to be read again. file_id is their hash.
create table ledger.book.purged_files (
    purge_no bigint not null,
    feed varchar not null,
    file_id varchar not null
);
