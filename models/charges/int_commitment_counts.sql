-- One row per commitment, period and month in which it counted something: units dated,
-- or charges whose service begins, in the period up to the day before the as-of day
-- (M2, M4).
with

periods as (
    select * from {{ ref('commitment_periods') }}
),

units as (
    select * from {{ ref('int_usage_units') }}
),

charges as (
    select * from {{ ref('line_charges') }}
),

counted as (
    select
        periods.commitment_id,
        periods.period_start,
        {{ month_of('units.service_date') }} as month,
        units.charged_units as value
    from periods
    inner join units
        on
            periods.line_id = units.line_id
            and units.service_date >= periods.period_start
            and units.service_date < least(periods.period_end, {{ as_of() }})
    where periods.kind = 'quantity'
    union all
    select
        periods.commitment_id,
        periods.period_start,
        {{ month_of('charges.service_from') }} as month,
        cast(charges.amount as decimal(18, 4)) as value
    from periods
    inner join charges
        on
            periods.contract_id = charges.contract_id
            and charges.service_from >= periods.period_start
            and charges.service_from < least(periods.period_end, {{ as_of() }})
            and (
                periods.line_id = charges.line_id
                or (
                    periods.line_id is null
                    and (periods.counts = 'all' or charges.line_type = 'usage')
                )
            )
    where periods.kind = 'spend'
)

select
    commitment_id,
    period_start,
    month,
    cast(sum(value) as decimal(18, 4)) as counted
from counted
group by commitment_id, period_start, month
