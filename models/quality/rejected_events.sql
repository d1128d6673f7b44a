-- One row per event that was rejected, whole, with its reason; it stays where PHI may
-- be.
with

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
        usage.outcome as reason
    from events
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
            and events.received_on is not distinct from usage.received_on
    where {{ is_rejection('usage.outcome') }}
)

select * from rejected
