-- One row per feed, file, facility as sent, day, type, class and code (where a meter
-- tells them apart) and patient, of the types that some line counts patients of (U8).
with

months as (
    select * from {{ ref('patient_months') }}
    where {{ is_to_make(ref('patient_months')) }}
),

events as (
    select * from {{ ref('usage_events') }}
    where {{ is_to_make(ref('patient_months')) }}
),

receipt_days as (
    select * from {{ ref('int_receipt_days') }}
),

patients as (
    select distinct
        events.feed,
        events.file_id,
        events.facility,
        events.event_type,
        events.counted_class as class,
        events.counted_code as code,
        events.patient_token,
        months.inputs,
        events.service_date,
        receipt_days.received_after,
        events.event_month
    from events
    inner join months
        on
            events.event_month = months.event_month
            and events.event_type = months.event_type
    left join receipt_days on events.received_on = receipt_days.received_on
    where events.obstacle = '' and events.patient_token is not null
)

select * from patients
