-- One row per usage file, month and day of receipt and load that counted its rows: how
-- many, and whether they are known by the as-of day.
with

landed as (
    select * from {{ source('raw', 'usage_receipts') }}
),

known as (
    select
        feed,
        file_id,
        event_month,
        service_month,
        received_on,
        rows as event_rows,
        last_service_date,
        load_no,
        received_on is null or received_on <= {{ as_of() }} as is_known
    from landed
)

select * from known
