-- One row per feed, file, facility as sent, day, type, class and code (where a meter
-- tells them apart), whether a patient is named and which agreements had ended when it
-- came: events and their quantity.
with

months as (
    select * from {{ ref('usage_months') }}
    where {{ is_to_make(ref('usage_months')) }}
),

events as (
    select * from {{ ref('usage_events') }}
    where {{ is_to_make(ref('usage_months')) }}
),

receipt_days as (
    select * from {{ ref('int_receipt_days') }}
),

counted as (
    select
        events.feed,
        events.file_id,
        events.facility,
        events.event_type,
        events.counted_class as class,
        events.counted_code as code,
        events.obstacle,
        count(*) as events,
        cast(sum(events.quantity) as decimal(18, 4)) as quantity,
        events.has_patient,
        events.service_date,
        receipt_days.received_after,
        events.event_month
    from events
    left join receipt_days on events.received_on = receipt_days.received_on
    group by
        events.feed,
        events.file_id,
        events.facility,
        events.event_type,
        events.counted_class,
        events.counted_code,
        events.obstacle,
        events.has_patient,
        events.service_date,
        receipt_days.received_after,
        events.event_month
)

select
    counted.*,
    months.inputs
from counted
inner join months on counted.event_month = months.event_month
