-- One row per row of daily usage: the contract it counts for and its one outcome (U1).
with

months as (
    select * from {{ ref('attribution_months') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

located as (
    select * from {{ ref('int_located_usage') }}
    where {{ is_to_make(ref('attribution_months')) }}
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

kinds as (
    select distinct contract_id, service_date, event_type, class, code, has_patient
    from located
    where contract_id is not null and found is null
),

metered as (
    select distinct kinds.*
    from kinds
    inner join meters
        on
            kinds.contract_id = meters.contract_id
            and {{ month_of('kinds.service_date') }} = meters.service_month
            and {{ in_force('meters', 'kinds.service_date') }}
            and {{ counts('meters', 'kinds') }}
            and (kinds.has_patient or not meters.needs_patient)
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
        located.event_month,
        months.inputs
    from located
    inner join months on located.event_month = months.event_month
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
