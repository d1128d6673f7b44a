-- The ledger, schema version 1. Rows are only ever added.
create schema ledger.book;

create table ledger.book.schema_version (version integer not null);

-- One row per issuing run. closed_through is the latest issue_through (C6).
create table ledger.book.issues (
    issue_no bigint not null,
    as_of date not null,
    issue_through date not null,
    invoices bigint not null,
    last_invoice_hash varchar not null,
    inputs_digest varchar not null,
    usage_digest varchar not null,
    previous_hash varchar not null,
    hash varchar not null
);

create table ledger.book.invoices (
    issue_no bigint not null,
    invoice_number varchar not null,
    document_type varchar not null,
    customer_id varchar not null,
    customer_name varchar not null,
    bill_to_name varchar,
    bill_to_email varchar,
    bill_to_address varchar,
    tax_exempt boolean,
    seller_name varchar not null,
    seller_address varchar,
    seller_tax_id varchar,
    seller_contact varchar,
    invoice_group varchar not null,
    currency varchar not null,
    invoice_date date not null,
    due_date date not null,
    payment_terms_days integer not null,
    po_number varchar,
    total decimal(18, 2) not null,
    issued_at date not null,
    previous_hash varchar not null,
    content_hash varchar not null
);

create table ledger.book.invoice_lines (
    invoice_number varchar not null,
    line_number integer not null,
    charge_key varchar not null,
    contract_id varchar not null,
    line_id varchar,
    milestone_id varchar,
    commitment_id varchar,
    product_id varchar,
    line_type varchar not null,
    is_adjustment boolean not null,
    reverses boolean not null,
    description varchar not null,
    service_start date not null,
    service_end date not null,
    version_start date,
    meter varchar,
    tier integer,
    quantity decimal(18, 4) not null,
    list_price decimal(19, 8),
    discount_percent decimal(19, 8),
    unit_price decimal(19, 8),
    proration decimal(19, 8),
    amount decimal(18, 2) not null,
    amendment_id varchar
);

create table ledger.book.invoice_line_facilities (
    invoice_number varchar not null,
    line_number integer not null,
    facility_id varchar not null,
    facility_name varchar,
    quantity decimal(18, 4) not null,
    amount decimal(18, 2) not null
);

-- What each issue rests on, where it is new or changed; accepted as gone: no digest.
create table ledger.book.issue_inputs (
    issue_no bigint not null,
    kind varchar not null,
    name varchar not null,
    contract_id varchar,
    digest varchar
);

-- The units its invoices charge, as the difference to the issues before it (C8).
create table ledger.book.billed_usage (
    issue_no bigint not null,
    line_id varchar not null,
    facility_id varchar not null,
    service_date date not null,
    units decimal(18, 4) not null
);
