-- One row per line of a draft: all unbooked charges up to the as-of day, and each
-- group's next ones (C7).
with

unbooked as (
    select * from {{ ref('unbooked_charges') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

causes as (
    select * from {{ ref('adjustment_causes') }}
),

dated as (
    select
        unbooked.*,
        coalesce(causes.amendment_id, unbooked.amendment_id) as causing_amendment_id,
        contracts.customer_id,
        contracts.invoice_group,
        contracts.currency
    from unbooked
    inner join contracts on unbooked.contract_id = contracts.contract_id
    left join causes on unbooked.charge_key = causes.charge_key
),

next_dates as (
    select
        customer_id,
        invoice_group,
        currency,
        min(invoice_date) as next_date
    from dated
    where invoice_date > {{ as_of() }}
    group by customer_id, invoice_group, currency
),

bounded as (
    select dated.*
    from dated
    left join next_dates
        on
            dated.customer_id = next_dates.customer_id
            and dated.invoice_group = next_dates.invoice_group
            and dated.currency = next_dates.currency
    where dated.invoice_date <= coalesce(next_dates.next_date, {{ as_of() }})
),

drafted as (
    select
        {{ joined_key([
            'customer_id', 'invoice_group', 'currency', 'invoice_date'
        ]) }} as draft_id,
        row_number() over (
            partition by customer_id, invoice_group, currency, invoice_date
            order by
                is_adjustment,
                {{ by_bytes('contract_id') }},
                case line_type
                    when 'recurring' then 1
                    when 'usage' then 2
                    when 'milestone' then 4
                    else 3
                end,
                {{ by_bytes('line_id') }},
                service_start,
                is_reversal desc,
                tier,
                {{ by_bytes('charge_key') }}
        ) as line_number,
        *
    from bounded
)

select
    draft_id,
    cast(line_number as integer) as line_number,
    charge_key,
    customer_id,
    invoice_group,
    currency,
    contract_id,
    line_id,
    milestone_id,
    commitment_id,
    product_id,
    causing_amendment_id as amendment_id,
    line_type,
    description,
    meter,
    tier,
    quantity,
    list_price,
    discount_percent,
    unit_price,
    proration,
    amount,
    is_adjustment,
    is_reversal,
    version_start,
    service_start,
    service_end,
    invoice_date
from drafted
