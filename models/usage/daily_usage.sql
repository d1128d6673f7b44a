-- One row per feed, file, facility as sent, day, type, class, code and whether a patient
-- is named: events and their quantity.
with

events as (
    select * from {{ ref('usage_events') }}
),

counted as (
    select
        feed,
        file_id,
        facility,
        service_date,
        received_on,
        event_type,
        class,
        code,
        obstacle,
        has_patient,
        count(*) as events,
        cast(sum(quantity) as decimal(18, 4)) as quantity
    from events
    group by
        feed,
        file_id,
        facility,
        service_date,
        received_on,
        event_type,
        class,
        code,
        obstacle,
        has_patient
)

select * from counted
