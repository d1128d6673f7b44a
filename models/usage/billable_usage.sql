-- One row per usage line, facility, day and month of events: the units its meter
-- counts, and the term they are charged in (U1, U3); of purged usage those booked (C8).
with

metered as (
    select line_id, contract_id, facility_id, service_from, service_date, units
    from {{ ref('metered_usage') }}
    union all
    select
        line_id,
        contract_id,
        facility_id,
        service_from,
        service_date,
        cast(units as decimal(18, 4)) as units
    from {{ ref('int_patient_units') }}
),

settled as (
    select
        contracts.contract_id,
        settlements.settled_before
    from {{ ref('stg_settled_usage') }} as settlements
    inner join {{ ref('contracts') }} as contracts
        on settlements.customer_id = contracts.customer_id
),

billable as (
    select metered.*
    from metered
    left join settled on metered.contract_id = settled.contract_id
    where
        settled.contract_id is null
        or metered.service_date >= settled.settled_before
    union all
    select * from {{ ref('int_settled_usage') }}
)

select * from billable
