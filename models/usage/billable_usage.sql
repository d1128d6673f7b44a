-- One row per usage line, facility and day: the units its meter counts, and the term
-- they are charged in (U1, U3).
with

usage as (
    select * from {{ ref('attributed_usage') }}
),

meters as (
    select * from {{ ref('int_usage_meters') }}
),

patients as (
    select * from {{ ref('int_patient_units') }}
),

counted as (
    select
        meters.line_id,
        usage.contract_id,
        usage.facility_id,
        meters.service_from,
        usage.service_date,
        cast(
            sum(
                case meters.aggregation
                    when 'count' then usage.events else usage.quantity
                end
            )
            as decimal(18, 4)
        ) as units
    from usage
    inner join meters
        on
            usage.contract_id = meters.contract_id
            and {{ month_of('usage.service_date') }} = meters.service_month
            and {{ in_force('meters', 'usage.service_date') }}
            and {{ counts('meters', 'usage') }}
    where usage.outcome = 'billable' and meters.aggregation <> 'distinct_patients'
    group by
        meters.line_id,
        usage.contract_id,
        usage.facility_id,
        meters.service_from,
        usage.service_date
    union all
    select
        line_id,
        contract_id,
        facility_id,
        service_from,
        service_date,
        cast(units as decimal(18, 4)) as units
    from patients
)

select * from counted
