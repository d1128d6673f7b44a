-- One row per action that is due and not yet sent: the next step of an open invoice
-- whose day has come, and why (N4).
with

due as (
    select
        status.*,
        status.invoice_number || '-' || cast(status.next_step as varchar) as notice_id
    from {{ ref('dunning_status') }} as status
    where status.state = 'active' and status.next_on <= {{ as_of() }}
),

policies as (
    select * from {{ ref('dunning_policies') }}
),

customers as (
    select * from {{ ref('stg_customers') }}
),

notices as (
    select * from {{ ref('stg_notices') }}
),

invoices as (
    select * from {{ ref('stg_issued_invoices') }}
),

missing_lines as (
    select
        due.invoice_number,
        min(lines.line_number) as line_number,
        min(lines.description) as description
    from due
    inner join invoices
        on due.invoice_number = invoices.invoice_number and due.balance < invoices.total
    inner join {{ ref('stg_issued_lines') }} as lines
        on due.invoice_number = lines.invoice_number and due.balance = lines.amount
    group by due.invoice_number
    having count(*) = 1
)

select
    due.notice_id,
    due.customer_id,
    due.invoice_number,
    due.dunning_tier,
    due.next_step as step,
    policies.action,
    policies.channel,
    case policies.channel
        when 'task' then customers.account_manager
        else coalesce(customers.bill_to_email, invoices.bill_to_email)
    end as send_to,
    invoices.currency,
    cast(due.days_past_due as varchar) || ' days past due'
    || coalesce(
        ', step ' || cast(due.last_step as varchar) || ' on '
        || cast(due.last_sent_on as varchar), ''
    )
    || coalesce(
        ', short by exactly line ' || cast(missing_lines.line_number as varchar)
        || ' (' || missing_lines.description || ')', ''
    )
    || case
        when due.claimed < due.balance
            then ', ' || cast(due.disputed_amount as varchar) || ' of it in dispute'
        else ''
    end as why,
    notices.approved_by,
    due.days_past_due,
    due.balance,
    due.disputed_amount,
    due.claimed,
    policies.needs_approval,
    due.next_on as due_on
from due
inner join policies
    on due.dunning_tier = policies.dunning_tier and due.next_step = policies.step
inner join invoices on due.invoice_number = invoices.invoice_number
inner join customers on due.customer_id = customers.customer_id
left join notices on due.notice_id = notices.notice_id
left join missing_lines on due.invoice_number = missing_lines.invoice_number
