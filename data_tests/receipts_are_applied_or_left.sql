-- What was received or credited is applied or left over, to the cent, and no document
-- is settled beyond nothing (N1); a row here says where it is not so.
with

differences as (
    select
        kind || ' of ' || customer_id || ' in ' || currency as what,
        amount as difference
    from {{ ref('applications') }}
    union all
    select
        kind || ' of ' || customer_id || ' in ' || currency as what,
        -amount as difference
    from {{ ref('stg_receipts') }}
    union all
    select
        'credit_memo of ' || customer_id || ' in ' || currency as what,
        total as difference
    from {{ ref('stg_issued_invoices') }}
    where total < 0
)

select what
from differences
group by what
having sum(difference) <> 0
union all
select invoice_id as what
from {{ ref('invoices') }}
where
    subtotal > 0 and (balance < 0 or balance > subtotal)
    or subtotal < 0 and (balance > 0 or balance < subtotal)
