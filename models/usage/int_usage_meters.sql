-- One row per usage line and run of days in one month, version and term: what its meter
-- counts then (U1), and from which day; what was before was purged (C8).
with

terms as (
    select * from {{ ref('int_usage_terms') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

meters as (
    select * from {{ ref('meters') }}
),

settled as (
    select
        contracts.contract_id,
        settlements.settled_before
    from {{ ref('stg_settled_usage') }} as settlements
    inner join {{ ref('contracts') }} as contracts
        on settlements.customer_id = contracts.customer_id
),

calendar as (
    select
        month_start,
        {{ plus_days('month_start', 'days_in_month') }} as month_end
    from {{ ref('calendar_months') }}
),

runs as (
    select
        terms.line_id,
        terms.contract_id,
        terms.period_start,
        terms.service_from,
        versions.meter,
        greatest(terms.service_from, versions.valid_from) as valid_from,
        least(terms.service_to, versions.valid_to) as valid_to
    from terms
    inner join versions
        on
            terms.line_id = versions.line_id
            and {{ overlap(
                'terms.service_from', 'terms.service_to',
                'versions.valid_from', 'versions.valid_to'
            ) }}
    where versions.is_active
),

months as (
    {{ months_of_spans('runs', 'valid_from', 'valid_to') }}
),

-- By month, so that usage finds its meters by equality first.
monthly as (
    select
        runs.line_id,
        runs.contract_id,
        runs.period_start,
        runs.service_from,
        months.month_start as service_month,
        runs.meter,
        meters.event_type,
        meters.classes,
        meters.codes,
        meters.aggregation,
        settled.settled_before,
        greatest(runs.valid_from, months.month_start) as valid_from,
        least(runs.valid_to, months.month_end) as valid_to
    from runs
    inner join meters on runs.meter = meters.meter
    left join settled on runs.contract_id = settled.contract_id
    inner join months
        on
            runs.valid_from < months.month_end
            and months.month_start < runs.valid_to
)

select
    line_id,
    contract_id,
    period_start,
    service_from,
    service_month,
    meter,
    event_type,
    classes,
    codes,
    aggregation,
    least(greatest(valid_from, coalesce(settled_before, valid_from)), valid_to)
        as counted_from,
    valid_from,
    valid_to
from monthly
