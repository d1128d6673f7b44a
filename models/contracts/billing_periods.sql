-- One row per contract, frequency and billing period; a contract year is a frequency
-- (C2, C3).
with

contracts as (
    select * from {{ ref('contracts') }}
),

months as (
    select * from {{ ref('calendar_months') }}
),

frequencies as (
    select 'monthly' as frequency, 1 as months
    union all
    select 'quarterly' as frequency, 3 as months
    union all
    select 'annual' as frequency, 12 as months
    union all
    select 'contract_year' as frequency, 12 as months
),

rhythms as (
    select
        contracts.contract_id,
        contracts.valid_from,
        contracts.valid_to,
        frequencies.frequency,
        frequencies.months,
        case frequencies.frequency
            when 'contract_year' then extract(day from contracts.valid_from)
            else contracts.billing_anchor_day
        end as anchor_day
    from contracts
    cross join frequencies
),

anchors as (
    select
        rhythms.contract_id,
        rhythms.valid_from,
        rhythms.valid_to,
        rhythms.frequency,
        rhythms.months,
        months.month_index,
        {{ plus_days(
            'months.month_start',
            'least(rhythms.anchor_day, months.days_in_month) - 1'
        ) }} as anchor
    from rhythms
    inner join months
        on
            months.month_start > {{ plus_days('rhythms.valid_from', -400) }}
            and months.month_start < {{ plus_days('rhythms.valid_to', 400) }}
),

counted as (
    select
        *,
        min(case when anchor >= valid_from then month_index end) over (
            partition by contract_id, frequency
        ) as first_index
    from anchors
),

bounded as (
    select
        contract_id,
        valid_from,
        valid_to,
        frequency,
        anchor,
        lead(anchor) over (
            partition by contract_id, frequency order by anchor
        ) as next_anchor
    from counted
    where mod(month_index - first_index, months) = 0
),

periods as (
    select
        contract_id,
        frequency,
        greatest(anchor, valid_from) as period_start,
        least(next_anchor, valid_to) as period_end,
        {{ days_between('anchor', 'next_anchor') }} as full_days
    from bounded
    where next_anchor > valid_from and anchor < valid_to and valid_from < valid_to
)

select * from periods
