-- One row per draft: its header, and its number if it is to be issued (A4, C5).
with

lines as (
    select * from {{ ref('draft_lines') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

issued as (
    select
        extract(year from invoice_date) as invoice_year,
        max(cast(substring(invoice_number, 10) as integer)) as last_number
    from {{ ref('stg_issued_invoices') }}
    group by extract(year from invoice_date)
),

totals as (
    select
        lines.draft_id,
        lines.customer_id,
        lines.invoice_group,
        lines.currency,
        lines.invoice_date,
        max(contracts.payment_terms_days) as payment_terms_days,
        min(case when contracts.po_number is not null then lines.contract_id end)
            as ordering_contract_id,
        cast(sum(lines.amount) as decimal(18, 2)) as total
    from lines
    inner join contracts on lines.contract_id = contracts.contract_id
    group by
        lines.draft_id,
        lines.customer_id,
        lines.invoice_group,
        lines.currency,
        lines.invoice_date
),

numbered as (
    select
        *,
        extract(year from invoice_date) as invoice_year,
        row_number() over (
            partition by extract(year from invoice_date)
            order by
                invoice_date,
                {{ by_bytes('customer_id') }},
                {{ by_bytes('invoice_group') }},
                {{ by_bytes('currency') }}
        ) as place
    from totals
),

drafted as (
    select
        numbered.draft_id,
        case
            when numbered.invoice_date <= {{ issue_through() }}
                then {{ invoice_number(
                    'numbered.invoice_year',
                    'coalesce(issued.last_number, 0) + numbered.place'
                ) }}
        end as next_number,
        case when numbered.total < 0 then 'credit_memo' else 'invoice' end
            as document_type,
        numbered.customer_id,
        customers.customer_name,
        customers.bill_to_name,
        customers.bill_to_email,
        customers.bill_to_address,
        customers.is_tax_exempt,
        '{{ var("seller_name") }}' as seller_name,
        '{{ var("seller_address") }}' as seller_address,
        '{{ var("seller_tax_id") }}' as seller_tax_id,
        '{{ var("seller_contact") }}' as seller_contact,
        numbered.invoice_group,
        numbered.currency,
        contracts.po_number,
        numbered.payment_terms_days,
        numbered.total,
        numbered.invoice_date,
        {{ plus_days('numbered.invoice_date', 'numbered.payment_terms_days') }}
            as due_date
    from numbered
    inner join customers on numbered.customer_id = customers.customer_id
    left join contracts on numbered.ordering_contract_id = contracts.contract_id
    left join issued on numbered.invoice_year = issued.invoice_year
)

select * from drafted
