-- The ledger, schema version 3: notices. Rows are only ever added.

-- One row per event of a notice, in order and chained: approved (by a person), sent
-- (booked before the message is handed over, so that it never goes twice), handed_over,
-- failed (surely not delivered: due again) and seen (a person looked after one in doubt).
create table ledger.book.notice_events (
    seq bigint not null,
    notice_id varchar not null,
    event varchar not null,
    as_of date not null,
    customer_id varchar not null,
    invoice_number varchar,
    dunning_tier varchar,
    step integer,
    action varchar not null,
    channel varchar not null,
    send_to varchar,
    balance decimal(18, 2),
    disputed_amount decimal(18, 2),
    by_name varchar,
    detail varchar,
    previous_hash varchar not null,
    hash varchar not null
);
