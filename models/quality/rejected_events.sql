-- One row per event that was rejected, whole, with its reason; it stays where PHI may
-- be.
with

months as (
    select *
    from {{ ref('rejected_months') }}
    where event_month not in (select event_month from {{ this }})
),

receipt_days as (
    select * from {{ ref('int_receipt_days') }}
),

events as (
    select * from {{ ref('usage_events') }}
),

usage as (
    select * from {{ ref('attributed_usage') }}
),

rejected as (
    select
        events.feed,
        events.event_id,
        events.file_id,
        events.line,
        events.event_type,
        events.facility,
        events.patient_token,
        events.class,
        events.code,
        events.quantity,
        events.service_date,
        events.received_on,
        usage.outcome as reason,
        months.inputs,
        events.event_month
    from events
    inner join months on events.event_month = months.event_month
    left join receipt_days on events.received_on = receipt_days.received_on
    inner join usage
        on
            events.event_month = usage.event_month
            and events.feed = usage.feed
            and events.file_id = usage.file_id
            and events.facility = usage.facility
            and events.event_type = usage.event_type
            and events.counted_class = usage.class
            and events.counted_code = usage.code
            and events.obstacle = usage.obstacle
            and events.has_patient = usage.has_patient
            and events.service_date is not distinct from usage.service_date
            and receipt_days.received_after is not distinct from usage.received_after
    where {{ is_rejection('usage.outcome') }}
)

select * from rejected
