-- One row per commitment, period begun before the as-of day and month it touches: what
-- is counted up to the month's end, the period's or the day before the as-of day (M6).
with

periods as (
    select * from {{ ref('commitment_periods') }}
),

months as (
    select * from {{ ref('calendar_months') }}
),

counts as (
    select * from {{ ref('int_commitment_counts') }}
),

touched as (
    select
        periods.*,
        months.month_start as month,
        least(
            {{ plus_days('months.month_start', 'months.days_in_month') }},
            periods.period_end,
            {{ as_of() }}
        ) as counted_to
    from periods
    inner join months
        on
            months.month_start < least(periods.period_end, {{ as_of() }})
            and {{ plus_days('months.month_start', 'months.days_in_month') }}
            > periods.period_start
    where periods.period_start < {{ as_of() }}
),

counted as (
    select
        touched.*,
        {{ days_between('touched.period_start', 'touched.period_end') }} as days,
        {{ days_between('touched.period_start', 'touched.counted_to') }} as elapsed,
        cast(
            sum(coalesce(counts.counted, 0)) over (
                partition by touched.commitment_id, touched.period_start
                order by touched.month
            ) as decimal(18, 4)
        ) as actual
    from touched
    left join counts
        on
            touched.commitment_id = counts.commitment_id
            and touched.period_start = counts.period_start
            and touched.month = counts.month
),

projected as (
    select
        *,
        {{ as_committed(whole_quantity('committed') ~ ' * elapsed', 'days') }}
            as expected,
        {{ as_committed(whole_quantity('actual') ~ ' * days', 'elapsed') }}
            as projected
    from counted
)

select * from projected
