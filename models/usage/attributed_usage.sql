-- One row per row of daily usage: the contract it counts for and its one outcome (U1).
with

months as (
    select * from {{ ref('attribution_months') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

-- Told three times, which costs less than to keep its rows.
located as not materialized (
    select * from {{ ref('int_located_usage') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

contracts as (
    select * from {{ ref('contracts') }}
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
    select distinct
        contract_id,
        {{ month_of('service_date') }} as service_month,
        event_type,
        class,
        code,
        has_patient
    from located
    where contract_id is not null and found is null
),

-- The days of the month on which some meter counts this kind, in one number: there are
-- as many contracts and days as there is usage, where each has one facility.
metered as (
    select
        kinds.contract_id,
        kinds.service_month,
        kinds.event_type,
        kinds.class,
        kinds.code,
        kinds.has_patient,
        bit_or({{ days_of_month('meters') }}) as days
    from kinds
    inner join {{ ref('int_usage_meters') }} as meters
        on
            kinds.contract_id = meters.contract_id
            and kinds.service_month = meters.service_month
            and {{ counts('meters', 'kinds') }}
            and (kinds.has_patient or meters.aggregation <> 'distinct_patients')
    group by
        kinds.contract_id,
        kinds.service_month,
        kinds.event_type,
        kinds.class,
        kinds.code,
        kinds.has_patient
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
            when {{ is_among_days('metered.days', 'located.service_date') }}
                then 'billable'
            else 'unmetered'
        end as outcome,
        located.events,
        located.quantity,
        located.service_date,
        located.received_after,
        located.event_month,
        months.inputs
    from located
    -- Each has one. Behind an inner join the engine expects so few rows that it would
    -- put these into the table, and not what they are joined with.
    left join months on located.event_month = months.event_month
    left join contracted
        on
            located.customer_id = contracted.customer_id
            and located.service_date = contracted.service_date
    left join metered
        on
            located.contract_id = metered.contract_id
            and {{ month_of('located.service_date') }} = metered.service_month
            and located.event_type = metered.event_type
            and located.class = metered.class
            and located.code = metered.code
            and located.has_patient = metered.has_patient
)

select * from judged
