-- One row per amendment signed by the as-of day.
with

landed as (
    select * from {{ source('raw', 'amendments') }}
),

known as (
    select
        amendment_id,
        contract_id,
        kind,
        invoicing,
        description,
        signed_on,
        effective_on,
        new_ends_on
    from landed
    where signed_on <= {{ as_of() }}
)

select * from known
