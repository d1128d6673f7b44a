-- One row per contract: its parties, terms and the days on which it runs (C2).
with

signed as (
    select * from {{ ref('stg_contracts') }}
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

new_ends as (
    select
        contract_id,
        new_ends_on,
        row_number() over (
            partition by contract_id
            order by signed_on desc, effective_on desc, amendment_id desc
        ) as recency
    from amendments
    where new_ends_on is not null
),

running as (
    select
        signed.contract_id,
        signed.customer_id,
        signed.invoice_group,
        signed.currency,
        signed.po_number,
        signed.billing_anchor_day,
        signed.payment_terms_days,
        signed.cents_step,
        signed.is_held,
        signed.starts_on as valid_from,
        {{ plus_days('signed.ends_on', 1) }} as signed_to,
        {{ plus_days('coalesce(new_ends.new_ends_on, signed.ends_on)', 1) }} as valid_to
    from signed
    left join new_ends
        on signed.contract_id = new_ends.contract_id and new_ends.recency = 1
)

select * from running
