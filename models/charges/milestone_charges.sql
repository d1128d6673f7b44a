-- One row per completed milestone: its amount, due on completion or with the contract's
-- next regular invoice (S1).
with

milestones as (
    select * from {{ ref('stg_milestones') }}
),

regular_dates as (
    select * from {{ ref('regular_dates') }}
),

next_dates as (
    select milestones.milestone_id, min(regular_dates.charge_date) as charge_date
    from milestones
    inner join regular_dates
        on
            milestones.contract_id = regular_dates.contract_id
            and milestones.completed_on <= regular_dates.charge_date
    where milestones.invoicing = 'next_invoice'
    group by milestones.milestone_id
),

charged as (
    select
        milestones.contract_id,
        milestones.milestone_id,
        milestones.milestone,
        milestones.description,
        'milestone' as line_type,
        cast(null as integer) as tier,
        cast(milestones.amount as decimal(19, 8)) as unit_price,
        milestones.amount,
        cast(null as date) as version_start,
        milestones.completed_on as service_from,
        {{ plus_days('milestones.completed_on', 1) }} as service_to,
        coalesce(next_dates.charge_date, milestones.completed_on) as charge_date
    from milestones
    left join next_dates on milestones.milestone_id = next_dates.milestone_id
),

described as (
    select
        {{ charge_key('charged', 'charged.milestone_id') }} as charge_key,
        contract_id,
        milestone_id,
        line_type,
        coalesce(description, 'Milestone ' || replace(milestone, '_', '-'))
        || ', ' || {{ day_in_words('service_from') }} as description,
        unit_price,
        amount,
        version_start,
        service_from,
        service_to,
        charge_date
    from charged
)

select * from described
