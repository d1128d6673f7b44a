-- One row per facility and run of days: the one contract its events count for (U1).
with

coverage as (
    select * from {{ ref('facility_coverage') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

bounds as (
    select facility_id, valid_from as day
    from coverage
    union
    select facility_id, valid_to as day
    from coverage
),

spans as (
    select
        facility_id,
        day as valid_from,
        lead(day) over (partition by facility_id order by day) as valid_to
    from bounds
),

ranked as (
    select
        spans.facility_id,
        coverage.contract_id,
        contracts.customer_id,
        spans.valid_from,
        spans.valid_to,
        row_number() over (
            partition by spans.facility_id, spans.valid_from
            order by contracts.valid_from, {{ by_bytes('coverage.contract_id') }}
        ) as precedence
    from spans
    inner join coverage
        on
            spans.facility_id = coverage.facility_id
            and {{ in_force('coverage', 'spans.valid_from') }}
    inner join contracts on coverage.contract_id = contracts.contract_id
),

chosen as (
    select
        facility_id,
        contract_id,
        customer_id,
        valid_from,
        valid_to
    from ranked
    where precedence = 1
)

select * from chosen
