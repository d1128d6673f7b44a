-- One row per row of a usage file that can be read, and whether it is known by the as-
-- of day.
with

landed as (
    select * from {{ source('restricted', 'usage_rows') }}
),

files as (
    select * from {{ ref('stg_usage_files') }}
),

-- Events of which several rows came.
repeated as (
    select * from {{ source('restricted', 'repeated_events') }}
),

marked as (
    select
        landed.feed,
        landed.file_id,
        files.source_file,
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
        repeated.event_hash is not null as is_repeated,
        coalesce(
            cast(landed.received_at as date), landed.service_date
        ) as received_on
    from landed
    inner join files
        on landed.feed = files.feed and landed.file_id = files.file_id
    left join repeated on landed.event_hash = repeated.event_hash
),

known as (
    select
        *,
        received_on is null or received_on <= {{ as_of() }} as is_known
    from marked
)

select * from known
