-- One row per contract and month, from its first with anything billed or recognized to
-- the as-of day's: deferred or unbilled, rolled forward (V5).
with

moved as (
    select
        lines.contract_id,
        invoices.customer_id,
        invoices.currency,
        {{ month_of('invoices.invoice_date') }} as month,
        lines.amount as billed,
        cast(0 as decimal(18, 2)) as recognized
    from {{ ref('stg_issued_lines') }} as lines
    inner join {{ ref('stg_issued_invoices') }} as invoices
        on lines.invoice_number = invoices.invoice_number
    union all
    select
        contract_id,
        customer_id,
        currency,
        accounting_month as month,
        cast(0 as decimal(18, 2)) as billed,
        amount as recognized
    from {{ ref('stg_posted_revenue') }}
),

by_month as (
    select
        contract_id,
        month,
        min(customer_id) as customer_id,
        min(currency) as currency,
        sum(billed) as billed,
        sum(recognized) as recognized,
        row_number() over (partition by contract_id order by month) as place
    from moved
    group by contract_id, month
),

-- A contract that passes to another customer stays with the first.
contract_months as (
    select
        firsts.contract_id,
        firsts.customer_id,
        firsts.currency,
        months.month_start as month
    from by_month as firsts
    inner join {{ ref('calendar_months') }} as months
        on
            firsts.place = 1
            and firsts.month <= months.month_start
            and months.month_start <= {{ as_of() }}
),

rolled as (
    select
        contract_months.*,
        coalesce(by_month.billed, 0) as billed,
        coalesce(by_month.recognized, 0) as recognized,
        sum(coalesce(by_month.billed, 0) - coalesce(by_month.recognized, 0)) over (
            partition by contract_months.contract_id
            order by contract_months.month
            rows unbounded preceding
        ) as closing
    from contract_months
    left join by_month
        on
            contract_months.contract_id = by_month.contract_id
            and contract_months.month = by_month.month
)

select
    contract_id,
    customer_id,
    currency,
    month,
    cast(closing - billed + recognized as decimal(18, 2)) as deferred_opening,
    cast(billed as decimal(18, 2)) as billed,
    cast(recognized as decimal(18, 2)) as recognized,
    cast(greatest(closing, 0) as decimal(18, 2)) as deferred_closing,
    cast(greatest(-closing, 0) as decimal(18, 2)) as unbilled_closing
from rolled
