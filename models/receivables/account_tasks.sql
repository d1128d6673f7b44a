-- One row per task of an account manager: a call or an escalation, a step that waits
-- for approval or for an address, a new dispute. It is there until it is over: paid,
-- resolved, or followed by the next step.
with

customers as (
    select * from {{ ref('stg_customers') }}
),

notices as (
    select * from {{ ref('stg_notices') }}
),

due_steps as (
    select
        notice_id,
        customer_id,
        invoice_number,
        case
            when needs_approval and approved_by is null then 'approve ' || action
            when channel = 'task' then action
            else 'find the address for ' || action
        end as task,
        why,
        balance as amount,
        due_on,
        cast(null as date) as handed_on
    from {{ ref('dunning_queue') }}
    where
        channel = 'task'
        or send_to is null
        or (needs_approval and approved_by is null)
),

handed_steps as (
    select
        notices.notice_id,
        status.customer_id,
        status.invoice_number,
        notices.action as task,
        cast(status.days_past_due as varchar) || ' days past due' as why,
        status.balance as amount,
        notices.sent_on as due_on,
        notices.sent_on as handed_on
    from notices
    inner join {{ ref('dunning_status') }} as status
        on
            notices.invoice_number = status.invoice_number
            and notices.step = status.last_step
    where notices.channel = 'task' and notices.sent_on is not null
),

open_disputes as (
    select
        'dispute-' || disputes.dispute_id as notice_id,
        disputes.customer_id,
        disputes.invoice_number,
        'settle dispute' as task,
        'dispute ' || disputes.dispute_id || coalesce(
            ' of line ' || cast(disputes.line_number as varchar), ''
        ) || coalesce(': ' || disputes.reason, '') as why,
        disputes.amount,
        disputes.opened_on as due_on,
        notices.sent_on as handed_on
    from {{ ref('disputes') }} as disputes
    left join notices on 'dispute-' || disputes.dispute_id = notices.notice_id
    where disputes.state = 'open'
),

tasks as (
    select * from due_steps
    union all
    select * from handed_steps
    union all
    select * from open_disputes
)

select
    tasks.notice_id,
    tasks.customer_id,
    tasks.invoice_number,
    customers.account_manager,
    tasks.task,
    tasks.why,
    cast(tasks.amount as decimal(18, 2)) as amount,
    tasks.due_on,
    tasks.handed_on
from tasks
left join customers on tasks.customer_id = customers.customer_id
