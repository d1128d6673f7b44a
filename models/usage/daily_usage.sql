-- One row per feed, file, facility as sent, day, type, class and code: events and their
-- quantity.
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
        obstacle
)

select * from counted
