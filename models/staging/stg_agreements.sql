-- One row per customer with an agreement (BAA) in force by the as-of day.
with

landed as (
    select * from {{ source('raw', 'baas') }}
),

latest as (
    select
        customer_id,
        max(coalesce(ends_on, {{ end_of_time() }})) as agreed_through
    from landed
    where effective_on <= {{ as_of() }}
    group by customer_id
)

select * from latest
