-- One row per line of an invoice, issued or draft.
with

issued as (
    select * from {{ ref('stg_issued_lines') }}
),

issued_invoices as (
    select * from {{ ref('stg_issued_invoices') }}
),

drafts as (
    select * from {{ ref('draft_lines') }}
),

lines as (
    select
        issued.invoice_number as invoice_id,
        issued.invoice_number,
        issued.line_number,
        issued.charge_key,
        issued.contract_id,
        issued.line_id,
        issued.milestone_id,
        issued.commitment_id,
        issued.product_id,
        issued.amendment_id,
        issued.line_type,
        issued.description,
        issued.meter,
        issued.tier,
        issued.quantity,
        issued.list_price,
        issued.discount_percent,
        issued.unit_price,
        issued.proration,
        issued.amount,
        issued.is_adjustment,
        issued.is_reversal as reverses,
        issued_invoices.invoice_date,
        issued.service_start,
        issued.service_end
    from issued
    inner join issued_invoices
        on issued.invoice_number = issued_invoices.invoice_number
    union all
    select
        draft_id as invoice_id,
        null as invoice_number,
        line_number,
        charge_key,
        contract_id,
        line_id,
        milestone_id,
        commitment_id,
        product_id,
        amendment_id,
        line_type,
        description,
        meter,
        tier,
        quantity,
        list_price,
        discount_percent,
        unit_price,
        proration,
        amount,
        is_adjustment,
        is_reversal as reverses,
        invoice_date,
        service_start,
        service_end
    from drafts
)

select * from lines
