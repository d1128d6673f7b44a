-- One row per contract and as-of month: fixed price not yet earned (V6).
with

schedule as (
    select
        *,
        {{ month_of(as_of()) }} as as_of_month
    from {{ ref('revenue_schedule') }}
    where
        line_type in ('recurring', 'milestone')
        and status <> 'posted'
        and coalesce(revenue_month, {{ as_of() }}) >= {{ month_of(as_of()) }}
),

lines as (
    select distinct line_id, base_line_id, charge_type
    from {{ ref('line_versions') }}
),

-- A share of usage is as uncertain as the usage.
variable as (
    select distinct lines.line_id
    from lines
    inner join lines as bases on lines.base_line_id = bases.line_id
    where bases.charge_type = 'usage'
),

remaining as (
    select
        schedule.contract_id,
        schedule.customer_id,
        schedule.currency,
        schedule.as_of_month,
        schedule.amount,
        coalesce(
            schedule.revenue_month < {{ plus_months('schedule.as_of_month', 12) }}, true
        ) as is_within
    from schedule
    left join variable on schedule.line_id = variable.line_id
    where variable.line_id is null
)

select
    contract_id,
    customer_id,
    currency,
    as_of_month,
    cast(sum(case when is_within then amount else 0 end) as decimal(18, 2))
        as within_12_months,
    cast(sum(case when is_within then 0 else amount end) as decimal(18, 2))
        as beyond_12_months
from remaining
group by contract_id, customer_id, currency, as_of_month
