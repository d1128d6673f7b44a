-- One row per contract signed by the as-of day.
with

landed as (
    select * from {{ source('raw', 'contracts') }}
),

currencies as (
    select * from {{ ref('currencies') }}
),

held as (
    select * from {{ source('raw', 'held_contracts') }}
),

known as (
    select
        landed.contract_id,
        landed.customer_id,
        landed.invoice_group,
        landed.currency,
        landed.po_number,
        landed.billing_anchor_day,
        landed.payment_terms_days,
        held.contract_id is not null as is_held,
        case currencies.decimals when 0 then 100 else 1 end as cents_step,
        landed.signed_on,
        landed.starts_on,
        landed.ends_on
    from landed
    inner join currencies on landed.currency = currencies.currency
    left join held on landed.contract_id = held.contract_id
    where landed.signed_on <= {{ as_of() }}
)

select * from known
