-- One row per completed milestone: its amount, due on completion or with the contract's
-- next regular invoice (S1), and the days on which it is earned (V2).
with

milestones as (
    select * from {{ ref('stg_milestones') }}
),

contracts as (
    select * from {{ ref('contracts') }}
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

-- The last of those it waits for, if all of them are completed.
awaited as (
    select
        milestones.milestone_id,
        case
            when count(named.milestone_id) = count(named.completed_on)
                then max(named.completed_on)
        end as completed_on
    from milestones
    inner join milestones as named
        on
            milestones.contract_id = named.contract_id
            and milestones.recognize_on = named.milestone
            and (
                milestones.recognize_on <> milestones.milestone
                or milestones.milestone_id = named.milestone_id
            )
    group by milestones.milestone_id
),

earned as (
    select
        milestones.*,
        contracts.signed_to,
        contracts.valid_to,
        case
            when awaited.completed_on is not null or contracts.valid_to <= {{ as_of() }}
                then
                    greatest(
                        milestones.completed_on,
                        least(
                            coalesce(awaited.completed_on, contracts.valid_to),
                            {{ plus_days('contracts.valid_to', -1) }}
                        )
                    )
        end as earned_from
    from milestones
    inner join contracts on milestones.contract_id = contracts.contract_id
    left join awaited on milestones.milestone_id = awaited.milestone_id
    where milestones.completed_on is not null
),

charged as (
    select
        earned.*,
        'milestone' as line_type,
        cast(null as integer) as tier,
        cast(earned.amount as decimal(19, 8)) as unit_price,
        cast(null as date) as version_start,
        earned.completed_on as service_from,
        {{ plus_days('earned.completed_on', 1) }} as service_to,
        coalesce(next_dates.charge_date, earned.completed_on) as charge_date
    from earned
    left join next_dates on earned.milestone_id = next_dates.milestone_id
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
        charge_date,
        earned_from,
        {{ earned_to() }} as earned_to
    from charged
)

select * from described
