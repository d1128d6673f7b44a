-- One row per contract: the date of an invoice that carries its adjustments (C6).
with

contracts as (
    select * from {{ ref('contracts') }}
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

issues as (
    select max(issue_through) as closed_through from {{ ref('stg_issues') }}
),

scheduled as (
    select * from {{ ref('regular_dates') }}
),

regular as (
    select
        contracts.customer_id,
        contracts.invoice_group,
        contracts.currency,
        min(scheduled.charge_date) as next_date
    from scheduled
    inner join contracts on scheduled.contract_id = contracts.contract_id
    cross join issues
    where scheduled.charge_date > issues.closed_through and not contracts.is_held
    group by contracts.customer_id, contracts.invoice_group, contracts.currency
),

immediate as (
    select
        amendments.contract_id,
        min(greatest(amendments.signed_on, amendments.effective_on)) as next_date
    from amendments
    cross join issues
    where
        amendments.invoicing = 'immediate'
        and greatest(amendments.signed_on, amendments.effective_on)
        > issues.closed_through
    group by amendments.contract_id
),

dated as (
    select
        contracts.contract_id,
        issues.closed_through,
        coalesce(least(regular.next_date, immediate.next_date), {{ as_of() }})
            as invoice_date
    from contracts
    cross join issues
    left join regular
        on
            contracts.customer_id = regular.customer_id
            and contracts.invoice_group = regular.invoice_group
            and contracts.currency = regular.currency
    left join immediate on contracts.contract_id = immediate.contract_id
)

select * from dated
