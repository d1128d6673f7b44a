-- One row per shared line of an invoice, issued or draft, and facility (A7).
select
    invoice_number as invoice_id,
    line_number,
    facility_id,
    facility_name,
    quantity,
    amount
from {{ ref('stg_issued_line_facilities') }}
union all
select
    draft_id as invoice_id,
    line_number,
    facility_id,
    facility_name,
    quantity,
    amount
from {{ ref('draft_line_facilities') }}
