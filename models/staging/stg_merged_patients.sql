-- One row per patient's token that a feed merged with another, and whom it counts as.
with

landed as (
    select * from {{ source('restricted', 'merged_patients') }}
),

merged as (
    select patient_token, counted_as
    from landed
)

select * from merged
