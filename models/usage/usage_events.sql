-- One row per feed and event id: of the rows known, the one received last (U1, UE-2).
with

known as (
    select
        *,
        row_number() over (
            partition by feed, event_id
            order by
                received_at desc nulls last,
                case status when 'cancelled' then 0 else 1 end,
                {{ by_bytes('source_file') }} desc,
                line desc
        ) as recency
    from {{ ref('stg_usage_rows') }}
    where is_known
),

latest as (
    select *
    from known
    where recency = 1
),

encounters as (
    select feed, event_id, facility
    from latest
    where event_type = 'encounter'
),

located as (
    select
        latest.feed,
        latest.event_id,
        latest.file_id,
        latest.line,
        latest.event_type,
        coalesce(latest.facility, encounters.facility, '') as facility,
        latest.patient_token,
        latest.patient_token is not null as has_patient,
        coalesce(latest.class, '') as class,
        coalesce(latest.code, '') as code,
        latest.status,
        latest.quantity,
        latest.service_date,
        latest.received_on,
        case
            when latest.status = 'cancelled' then 'void'
            when latest.status = 'not_yet_usage' then 'not_yet_usage'
            when latest.service_date is null then 'invalid_date'
            when latest.quantity is null then 'invalid_quantity'
            when coalesce(latest.facility, encounters.facility) is null
                then 'missing_facility'
            when latest.service_date > {{ as_of() }} then 'future_date'
            else ''
        end as obstacle
    from latest
    left join encounters
        on
            latest.feed = encounters.feed
            and latest.encounter_id = encounters.event_id
)

select * from located
