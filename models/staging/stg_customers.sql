-- One row per customer.
with

landed as (
    select * from {{ source('raw', 'customers') }}
),

named as (
    select
        customer_id,
        customer_name,
        dunning_tier,
        coalesce(bill_to_name, customer_name) as bill_to_name,
        bill_to_email,
        bill_to_address,
        account_manager,
        tax_exempt as is_tax_exempt
    from landed
)

select * from named
