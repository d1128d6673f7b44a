-- One row per rate card and tier, with its bounds: above and up to, inclusive.
with

landed as (
    select * from {{ source('raw', 'rate_cards') }}
),

bounded as (
    select
        rate_card_id,
        tier,
        coalesce(
            lag(up_to) over (partition by rate_card_id order by tier), 0
        ) as above,
        coalesce(up_to, {{ unbounded_quantity() }}) as up_to,
        unit_price,
        discount_percent,
        flat_fee
    from landed
)

select * from bounded
