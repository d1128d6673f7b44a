-- One row per issued document with a balance: how old, and what is in dispute (N2).
with

open_items as (
    select * from {{ ref('invoices') }}
    where balance <> 0 and status <> 'draft'
),

disputes as (
    select * from {{ ref('disputes') }}
),

lines as (
    select
        *,
        coalesce(line_id, milestone_id, commitment_id) as subject
    from {{ ref('stg_issued_lines') }}
),

contested as (
    select
        invoice_number,
        sum(case when state = 'open' then amount else 0 end) as open_amount,
        sum(case when state = 'accepted' then amount else 0 end) as accepted_amount,
        min(case when state = 'accepted' then opened_on end) as accepted_since
    from disputes
    group by invoice_number
),

-- What was accepted stays in dispute until that much is credited or adjusted (N4).
credited as (
    select
        contested.invoice_number,
        sum(applications.amount) as amount
    from contested
    inner join {{ ref('applications') }} as applications
        on
            contested.invoice_number = applications.invoice_number
            and applications.kind = 'credit'
            and applications.applied_on >= contested.accepted_since
    group by contested.invoice_number
),

adjusting_lines as (
    select distinct
        disputes.invoice_number,
        adjustments.invoice_number as adjusting_invoice_number,
        adjustments.line_number,
        adjustments.contract_id,
        adjustments.subject,
        adjustments.amount
    from disputes
    inner join lines
        on
            disputes.invoice_number = lines.invoice_number
            and coalesce(disputes.line_number, lines.line_number) = lines.line_number
    inner join lines as adjustments
        on
            lines.contract_id = adjustments.contract_id
            and lines.subject = adjustments.subject
            and lines.service_start <= adjustments.service_end
            and lines.service_end >= adjustments.service_start
            and adjustments.is_adjustment
            and disputes.invoice_number <> adjustments.invoice_number
    inner join {{ ref('stg_issued_invoices') }} as issued
        on
            adjustments.invoice_number = issued.invoice_number
            and disputes.opened_on <= issued.issued_at
    where disputes.state = 'accepted'
),

-- What a line was charged more since, as for late usage, was not in dispute.
adjusted_subjects as (
    select
        invoice_number,
        greatest(-sum(amount), 0) as amount
    from adjusting_lines
    group by invoice_number, contract_id, subject
),

adjusted as (
    select
        invoice_number,
        sum(amount) as amount
    from adjusted_subjects
    group by invoice_number
),

aged as (
    select
        open_items.*,
        coalesce(contested.open_amount, 0) as open_amount,
        greatest(
            coalesce(contested.accepted_amount, 0)
            - coalesce(credited.amount, 0) - coalesce(adjusted.amount, 0), 0
        ) as accepted_amount
    from open_items
    left join contested on open_items.invoice_number = contested.invoice_number
    left join credited on open_items.invoice_number = credited.invoice_number
    left join adjusted on open_items.invoice_number = adjusted.invoice_number
)

select
    customer_id,
    invoice_number,
    currency,
    {{ aging_bucket('days_past_due') }} as bucket,
    days_past_due,
    balance,
    cast(greatest(least(open_amount + accepted_amount, balance), 0) as decimal(18, 2))
        as disputed_amount,
    cast(greatest(least(accepted_amount, balance), 0) as decimal(18, 2))
        as accepted_amount,
    due_date
from aged
