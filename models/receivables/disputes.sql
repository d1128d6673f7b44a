-- One row per dispute known by the as-of day, with how much it contests; one that can't
-- be right says why and contests nothing.
with

sent as (
    select * from {{ ref('stg_disputes') }}
),

invoices as (
    select * from {{ ref('stg_issued_invoices') }}
),

lines as (
    select * from {{ ref('stg_issued_lines') }}
),

paid_before as (
    select
        sent.dispute_id,
        sum(applications.amount) as amount
    from sent
    inner join {{ ref('applications') }} as applications
        on
            sent.invoice_number = applications.invoice_number
            and applications.applied_on < sent.opened_on
    group by sent.dispute_id
),

joined as (
    select
        sent.*,
        invoices.invoice_number is not null as is_issued,
        lines.line_number is not null as has_line,
        invoices.total <= coalesce(paid_before.amount, 0) as is_paid,
        invoices.customer_id,
        case
            when sent.line_number is null then invoices.total else lines.amount
        end as largest
    from sent
    left join invoices on sent.invoice_number = invoices.invoice_number
    left join lines
        on
            sent.invoice_number = lines.invoice_number
            and sent.line_number = lines.line_number
    left join paid_before on sent.dispute_id = paid_before.dispute_id
),

judged as (
    select
        *,
        case
            when not is_issued
                then
                    'is no issued invoice (N4): a draft can''t be disputed; '
                    || 'mend the number'
            when is_paid
                then
                    'owed nothing any more when the dispute was opened (N4); '
                    || 'credit it instead'
            when line_number is not null and not has_line
                then 'is no line of ' || invoice_number || ' (N4); mend it'
        end as problem
    from joined
)

select
    dispute_id,
    invoice_number,
    customer_id,
    line_number,
    reason,
    case
        when problem is not null then 'refused' else coalesce(resolution, 'open')
    end as state,
    problem,
    case
        when problem is null then null
        when is_issued and not is_paid then 'line_number'
        else 'invoice_number'
    end as problem_column,
    source_file,
    line,
    cast(
        case
            when problem is not null then 0
            else greatest(least(coalesce(amount, largest), largest), 0)
        end as decimal(18, 2)
    ) as amount,
    opened_on,
    resolved_on
from judged
