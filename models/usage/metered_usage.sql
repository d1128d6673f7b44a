-- One row per usage line, facility, day and month of events: the units its meter
-- counts, and the term they are charged in (U1, U3); none of purged usage (C8).
-- Patients are counted elsewhere: whether one counts depends on other months.
with

months as (
    select * from {{ ref('attribution_months') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

usage as (
    select * from {{ ref('attributed_usage') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

meters as (
    select * from {{ ref('int_usage_meters') }}
),

-- Lines may share a meter: each of a contract counts once.
counters as (
    select distinct
        contract_id, service_month, meter, event_type, classes, codes, aggregation
    from meters
    where aggregation <> 'distinct_patients'
),

counted as (
    select
        usage.contract_id,
        usage.facility_id,
        usage.service_date,
        counters.service_month,
        counters.meter,
        cast(
            sum(
                case counters.aggregation
                    when 'count' then usage.events else usage.quantity
                end
            )
            as decimal(18, 4)
        ) as units,
        usage.event_month
    from usage
    inner join counters
        on
            usage.contract_id = counters.contract_id
            and {{ month_of('usage.service_date') }} = counters.service_month
            and {{ counts('counters', 'usage') }}
    where usage.outcome = 'billable'
    group by
        usage.contract_id,
        usage.facility_id,
        usage.service_date,
        counters.service_month,
        counters.meter,
        usage.event_month
),

metered as (
    select
        meters.line_id,
        counted.facility_id,
        meters.service_from,
        counted.service_date,
        counted.units,
        counted.event_month
    from counted
    inner join meters
        on
            counted.contract_id = meters.contract_id
            and counted.service_month = meters.service_month
            and counted.meter = meters.meter
            and {{ in_force('meters', 'counted.service_date') }}
            and counted.service_date >= meters.counted_from
)

select
    metered.*,
    months.inputs
from metered
inner join months on metered.event_month = months.event_month
