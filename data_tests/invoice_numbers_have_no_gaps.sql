-- Of each year the numbers issued and about to be issued run from 1 without a gap (A4).
with

numbers as (
    select invoice_number
    from {{ ref('stg_issued_invoices') }}
    union all
    select next_number as invoice_number
    from {{ ref('draft_invoices') }}
    where next_number is not null
),

by_year as (
    select
        substring(invoice_number, 1, 8) as series,
        count(*) as documents,
        count(distinct invoice_number) as numbers,
        min(cast(substring(invoice_number, 10) as integer)) as first_number,
        max(cast(substring(invoice_number, 10) as integer)) as last_number
    from numbers
    group by substring(invoice_number, 1, 8)
)

select *
from by_year
where first_number <> 1 or last_number <> documents or numbers <> documents
