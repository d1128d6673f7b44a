-- One row per open invoice that is past due or has a step due: where it stands, and
-- what stops its next step (N4). A pause stops actions, not ageing.
with

disputed_invoices as (
    select
        invoice_number,
        min(dispute_id) as dispute_id
    from {{ ref('disputes') }}
    where state = 'open'
    group by invoice_number
),

disputing_customers as (
    select
        customer_id,
        min(dispute_id) as dispute_id
    from {{ ref('disputes') }}
    where state = 'open'
    group by customer_id
),

pauses as (
    select
        customer_id,
        invoice_number,
        max(through_date) as through_date
    from {{ ref('stg_pauses') }}
    where through_date >= {{ as_of() }}
    group by customer_id, invoice_number
),

joined as (
    select
        next_steps.*,
        aging.days_past_due,
        aging.balance,
        aging.disputed_amount,
        policies.minimum_balance,
        policies.pause_on_dispute,
        case policies.pause_on_dispute
            when 'amount' then aging.balance - aging.disputed_amount
            else aging.balance - aging.accepted_amount
        end as claimed,
        case policies.pause_on_dispute
            when 'invoice' then disputed_invoices.dispute_id
            when 'customer' then disputing_customers.dispute_id
        end as dispute_id,
        holds.through_date as held_through,
        promises.through_date as promised_through
    from {{ ref('int_next_steps') }} as next_steps
    inner join {{ ref('receivables_aging') }} as aging
        on next_steps.invoice_number = aging.invoice_number
    left join {{ ref('dunning_policies') }} as policies
        on
            next_steps.dunning_tier = policies.dunning_tier
            and next_steps.next_step = policies.step
    left join disputed_invoices
        on next_steps.invoice_number = disputed_invoices.invoice_number
    left join disputing_customers
        on next_steps.customer_id = disputing_customers.customer_id
    left join pauses as holds on next_steps.customer_id = holds.customer_id
    left join pauses as promises on next_steps.invoice_number = promises.invoice_number
),

judged as (
    select
        *,
        case
            when dunning_tier is null
                then 'the customer is not among the customers landed'
            when next_step is null then null
            when held_through = {{ end_of_time() }} then 'hold without an end'
            when held_through is not null
                then 'hold through ' || cast(held_through as varchar)
            when dispute_id is not null then 'dispute ' || dispute_id
            when claimed < balance and claimed < greatest(minimum_balance, 0.01)
                then 'dispute about ' || cast(disputed_amount as varchar)
            when promised_through is not null
                then 'promise until ' || cast(promised_through as varchar)
            when balance < minimum_balance
                then 'balance below ' || cast(minimum_balance as varchar)
        end as paused_because
    from joined
)

select
    invoice_number,
    customer_id,
    dunning_tier,
    case
        when dunning_tier is not null and next_step is null then 'exhausted'
        when paused_because is null then 'active'
        when paused_because like 'promise%' then 'promised'
        else 'paused'
    end as state,
    paused_because,
    last_step,
    next_step,
    days_past_due,
    balance,
    disputed_amount,
    cast(claimed as decimal(18, 2)) as claimed,
    last_sent_on,
    case
        when paused_because is null then next_on
        when paused_because like 'hold through%' or paused_because like 'promise%'
            then greatest(
                next_on,
                {{ plus_days('held_through', 1) }},
                {{ plus_days('promised_through', 1) }}
            )
    end as next_on
from judged
where days_past_due > 0 or (paused_because is null and next_on <= {{ as_of() }})
