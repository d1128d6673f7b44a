-- The ledger, schema version 2: closed months, revenue posted, journal entries.

-- One row per closed month. Months are closed in order; the first may be any.
create table ledger.book.closings (
    closing_no bigint not null,
    month date not null,
    as_of date not null,
    posted_rows bigint not null,
    posted_digest varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);

-- What a closing posted: of a charge, the amount that belongs to revenue_month, posted
-- in accounting_month (the month closed; a later one than revenue_month is catch-up).
create table ledger.book.posted_revenue (
    closing_no bigint not null,
    charge_key varchar not null,
    customer_id varchar not null,
    contract_id varchar not null,
    line_id varchar,
    milestone_id varchar,
    commitment_id varchar,
    product_id varchar,
    amendment_id varchar,
    line_type varchar not null,
    currency varchar not null,
    amount decimal(18, 2) not null,
    service_start date not null,
    service_end date not null,
    revenue_month date not null,
    accounting_month date not null
);

-- One row per booking of journal lines: with an issue, or with a closing.
create table ledger.book.postings (
    posting_no bigint not null,
    issue_no bigint,
    closing_no bigint,
    as_of date not null,
    lines bigint not null,
    lines_digest varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);

-- Entries balance: per entry_id and currency the debits are the credits. source_key is
-- what an entry is of; what is due of it later, less its lines here, is booked as
-- another entry of the same source_key.
create table ledger.book.journal_lines (
    posting_no bigint not null,
    entry_id varchar not null,
    source_key varchar not null,
    kind varchar not null,
    account varchar not null,
    debit decimal(18, 2) not null,
    credit decimal(18, 2) not null,
    currency varchar not null,
    customer_id varchar not null,
    contract_id varchar,
    invoice_number varchar,
    product_id varchar,
    memo varchar not null,
    entry_date date not null,
    accounting_month date not null
);

-- The publication as a close left it: the SHA-256 of published/closes/YYYY-MM.duckdb.
create table ledger.book.kept_publications (
    closing_no bigint not null,
    digest varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);
