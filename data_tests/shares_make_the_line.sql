-- Shares of facilities add up to their line, and every line that is shared has them
-- (A7).
with

lines as (
    select * from {{ ref('invoice_lines') }}
),

shares as (
    select
        invoice_id,
        line_number,
        sum(amount) as amount
    from {{ ref('invoice_line_facilities') }}
    group by invoice_id, line_number
)

select
    lines.invoice_id,
    lines.line_number,
    lines.amount,
    shares.amount as shared
from lines
left join shares
    on
        lines.invoice_id = shares.invoice_id
        and lines.line_number = shares.line_number
where
    lines.amount <> shares.amount
    or (shares.amount is null and lines.line_type = 'usage')
