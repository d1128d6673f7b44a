-- One row per event that was rejected, whole, with its reason; it stays where PHI may
-- be.
with

kinds as (
    select * from {{ ref('rejected_kinds') }}
    where {{ is_to_make(ref('rejected_kinds')) }}
),

receipt_days as (
    select * from {{ ref('int_receipt_days') }}
),

events as (
    select * from {{ ref('usage_events') }}
    where {{ is_to_make(ref('rejected_kinds')) }}
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
        kinds.reason,
        kinds.inputs,
        events.event_month
    from events
    left join receipt_days on events.received_on = receipt_days.received_on
    inner join kinds
        on
            events.event_month = kinds.event_month
            and events.feed = kinds.feed
            and events.file_id = kinds.file_id
            and events.facility = kinds.facility
            and events.obstacle = kinds.obstacle
            and events.service_date is not distinct from kinds.service_date
            and receipt_days.received_after is not distinct from kinds.received_after
)

select * from rejected
