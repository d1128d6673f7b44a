-- One row per usage line, facility and day: the units its meter counts, and the term
-- they are charged in (U1, U3); of purged usage the units booked (C8).
with

usage as (
    select * from {{ ref('attributed_usage') }}
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

patients as (
    select * from {{ ref('int_patient_units') }}
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
        ) as units
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
        counters.meter
),

open_contracts as (
    select
        contracts.contract_id,
        settlements.settled_before
    from {{ ref('contracts') }} as contracts
    left join {{ ref('stg_settled_usage') }} as settlements
        on contracts.customer_id = settlements.customer_id
),

metered as (
    select
        meters.line_id,
        counted.contract_id,
        counted.facility_id,
        meters.service_from,
        counted.service_date,
        counted.units
    from counted
    inner join meters
        on
            counted.contract_id = meters.contract_id
            and counted.service_month = meters.service_month
            and counted.meter = meters.meter
            and {{ in_force('meters', 'counted.service_date') }}
    union all
    select
        line_id,
        contract_id,
        facility_id,
        service_from,
        service_date,
        cast(units as decimal(18, 4)) as units
    from patients
),

billable as (
    select metered.*
    from metered
    inner join open_contracts on metered.contract_id = open_contracts.contract_id
    where
        open_contracts.settled_before is null
        or metered.service_date >= open_contracts.settled_before
    union all
    select * from {{ ref('int_settled_usage') }}
)

select * from billable
