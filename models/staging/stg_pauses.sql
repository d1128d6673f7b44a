-- One row per hold of a customer or promise for an invoice, known by the as-of day; it
-- lasts through its last day.
with

pauses as (
    select
        'hold' as kind,
        cast(null as varchar) as promise_id,
        customer_id,
        cast(null as varchar) as invoice_number,
        reason,
        source_file,
        cast(line as bigint) as line,
        cast(null as decimal(18, 2)) as amount,
        from_date,
        coalesce(through_date, {{ end_of_time() }}) as through_date
    from {{ source('raw', 'holds') }}
    union all
    select
        'promise' as kind,
        promise_id,
        cast(null as varchar) as customer_id,
        invoice_number,
        cast(null as varchar) as reason,
        source_file,
        cast(line as bigint) as line,
        amount,
        made_on as from_date,
        pay_by as through_date
    from {{ source('raw', 'promises') }}
)

select *
from pauses
where from_date <= {{ as_of() }}
