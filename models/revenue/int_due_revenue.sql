-- One row per charge and month in which it is earned: the difference of the amounts
-- earned up to the month's end and up to its start (V1, V2). On hold it has no month.
with

charges as (
    select * from {{ ref('charges') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

calendar as (
    select
        month_start,
        {{ plus_days('month_start', 'days_in_month') }} as month_end
    from {{ ref('calendar_months') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

milestones as (
    select * from {{ ref('milestone_charges') }}
),

spans as (
    select
        charges.charge_key,
        charges.amount,
        contracts.cents_step,
        charges.line_type = 'usage' and versions.revenue_rule = 'as_used' as is_as_used,
        case
            when charges.line_type = 'milestone' then milestones.earned_from
            when charges.line_type in ('true_up', 'minimum_spend')
                then {{ plus_days('charges.service_to', -1) }}
            else charges.service_from
        end as earned_from,
        case
            when charges.line_type = 'milestone' then milestones.earned_to
            else charges.service_to
        end as earned_to
    from charges
    inner join contracts on charges.contract_id = contracts.contract_id
    left join versions
        on
            charges.line_id = versions.line_id
            and charges.version_start = versions.version_start
    left join milestones on charges.charge_key = milestones.charge_key
),

months as (
    {{ months_of_spans('spans', 'earned_from', 'earned_to') }}
),

by_day as (
    select
        spans.*,
        months.month_start as revenue_month,
        {{ days_between('earned_from', 'earned_to') }} as days,
        {{ days_between(
            'earned_from', 'greatest(months.month_start, spans.earned_from)'
        ) }} as days_before,
        {{ days_between(
            'earned_from', 'least(months.month_end, spans.earned_to)'
        ) }} as days_through
    from spans
    inner join months
        on
            spans.earned_to > months.month_start
            and spans.earned_from < months.month_end
    where not spans.is_as_used
),

earned as (
    select
        charge_key,
        revenue_month,
        {{ earned_part('amount', 'days_through', 'days', 'cents_step') }}
        - {{ earned_part('amount', 'days_before', 'days', 'cents_step') }} as amount
    from by_day
    union all
    select spans.charge_key, usage.service_month as revenue_month, usage.amount
    from spans
    inner join {{ ref('int_usage_months') }} as usage
        on spans.charge_key = usage.charge_key
    where spans.is_as_used
    union all
    select charge_key, cast(null as date) as revenue_month, amount
    from spans
    where earned_from is null
)

select
    charge_key,
    revenue_month,
    cast(sum(amount) as decimal(18, 2)) as amount
from earned
group by charge_key, revenue_month
