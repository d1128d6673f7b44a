-- One row per row of a usage file that can be read, and whether it is known by the as-
-- of day.
with

landed as (
    select * from {{ source('restricted', 'usage_rows') }}
),

marked as (
    select
        landed.feed,
        landed.file_id,
        landed.line,
        landed.event_id,
        landed.event_type,
        landed.facility,
        landed.encounter_id,
        landed.patient_token,
        landed.class,
        landed.code,
        landed.status,
        landed.quantity,
        landed.service_date,
        landed.received_at,
        landed.event_hash,
        landed.encounter_hash,
        landed.event_month,
        landed.is_repeated,
        coalesce(
            cast(landed.received_at as date), landed.service_date
        ) as received_on
    from landed
),

known as (
    select
        *,
        received_on is null or received_on <= {{ as_of() }} as is_known
    from marked
)

select * from known
