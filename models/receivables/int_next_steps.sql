-- One row per invoice with an open balance: the last step taken, the next one of its
-- customer's tier, and the business day on which that is due (N3, N4).
with

open_items as (
    select * from {{ ref('receivables_aging') }}
    where balance > 0
),

customers as (
    select * from {{ ref('stg_customers') }}
),

policies as (
    select * from {{ ref('dunning_policies') }}
),

holidays as (
    select * from {{ ref('holidays') }}
),

taken as (
    select
        invoice_number,
        max(step) as last_step,
        max(sent_on) as last_sent_on
    from {{ ref('stg_notices') }}
    where sent_on is not null and step is not null
    group by invoice_number
),

stepped as (
    select
        open_items.invoice_number,
        open_items.customer_id,
        customers.dunning_tier,
        taken.last_step,
        taken.last_sent_on,
        policies.step as next_step,
        row_number() over (
            partition by open_items.invoice_number order by policies.step
        ) as place,
        greatest(
            {{ plus_days('open_items.due_date', 'policies.days_past_due') }},
            {{ plus_days('taken.last_sent_on', 'policies.quiet_days') }}
        ) as earliest
    from open_items
    left join customers on open_items.customer_id = customers.customer_id
    left join taken on open_items.invoice_number = taken.invoice_number
    left join policies
        on
            customers.dunning_tier = policies.dunning_tier
            and policies.step > coalesce(taken.last_step, policies.step - 1)
),

next_steps as (
    select * from stepped
    where place = 1
),

candidates as (
    select
        next_steps.earliest,
        {{ plus_days('next_steps.earliest', 'numbers.days') }} as candidate
    from (select distinct earliest from next_steps) as next_steps
    cross join ({{ days_ahead(60) }}) as numbers
),

business_days as (
    select
        candidates.earliest,
        min(candidates.candidate) as next_on
    from candidates
    left join holidays on candidates.candidate = holidays.holiday
    where holidays.holiday is null and not {{ is_weekend('candidates.candidate') }}
    group by candidates.earliest
)

select
    next_steps.invoice_number,
    next_steps.customer_id,
    next_steps.dunning_tier,
    next_steps.last_step,
    next_steps.next_step,
    next_steps.last_sent_on,
    business_days.next_on
from next_steps
left join business_days on next_steps.earliest = business_days.earliest
