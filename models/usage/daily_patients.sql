-- One row per feed, file, facility as sent, day, type, class, code and patient, of the
-- types that some line counts patients of (U8).
with

events as (
    select * from {{ ref('usage_events') }}
),

meters as (
    select distinct event_type
    from {{ ref('int_usage_meters') }}
    where aggregation = 'distinct_patients'
),

patients as (
    select distinct
        events.feed,
        events.file_id,
        events.facility,
        events.service_date,
        events.received_on,
        events.event_type,
        events.class,
        events.code,
        events.patient_token
    from events
    inner join meters on events.event_type = meters.event_type
    where events.obstacle = '' and events.patient_token is not null
)

select * from patients
