-- One row per closing, charge and month: what the closing posted of the charge for the
-- month it belongs to.
select
    closing_no,
    charge_key,
    customer_id,
    contract_id,
    line_id,
    milestone_id,
    commitment_id,
    product_id,
    amendment_id,
    line_type,
    currency,
    amount,
    service_start,
    service_end,
    revenue_month,
    accounting_month
from {{ source('ledger', 'posted_revenue') }}
