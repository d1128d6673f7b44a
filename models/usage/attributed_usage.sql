-- One row per row of daily usage: the contract it counts for and its one outcome (U1).
with

located as (
    select * from {{ ref('int_located_usage') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

-- Lines may share a meter: each of a contract counts once.
meters as (
    select distinct
        contract_id,
        service_month,
        event_type,
        classes,
        codes,
        aggregation = 'distinct_patients' as needs_patient,
        valid_from,
        valid_to
    from {{ ref('int_usage_meters') }}
),

contracted as (
    select distinct located.customer_id, located.service_date
    from located
    inner join contracts
        on
            located.customer_id = contracts.customer_id
            and {{ in_force('contracts', 'located.service_date') }}
    where located.contract_id is null
),

metered as (
    select distinct
        located.contract_id,
        located.service_date,
        located.event_type,
        located.class,
        located.code,
        located.has_patient
    from located
    inner join meters
        on
            located.contract_id = meters.contract_id
            and {{ month_of('located.service_date') }} = meters.service_month
            and {{ in_force('meters', 'located.service_date') }}
            and {{ counts('meters', 'located') }}
            and (located.has_patient or not meters.needs_patient)
),

judged as (
    select
        located.feed,
        located.file_id,
        located.facility,
        located.event_type,
        located.class,
        located.code,
        located.obstacle,
        located.has_patient,
        located.facility_id,
        located.customer_id,
        located.contract_id,
        case
            when located.found is not null then located.found
            when located.contract_id is null and contracted.customer_id is null
                then 'no_contract'
            when located.contract_id is null then 'facility_not_covered'
            when metered.contract_id is null then 'unmetered'
            else 'billable'
        end as outcome,
        located.events,
        located.quantity,
        located.service_date,
        located.received_after,
        located.event_month
    from located
    left join contracted
        on
            located.customer_id = contracted.customer_id
            and located.service_date = contracted.service_date
    left join metered
        on
            located.contract_id = metered.contract_id
            and located.service_date = metered.service_date
            and located.event_type = metered.event_type
            and located.class = metered.class
            and located.code = metered.code
            and located.has_patient = metered.has_patient
)

select * from judged
