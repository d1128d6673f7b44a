-- One row per usage line and run of days in one month, version and term: what its meter
-- counts then (U1).
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
        greatest(runs.valid_from, months.month_start) as valid_from,
        least(runs.valid_to, months.month_end) as valid_to
    from runs
    inner join meters on runs.meter = meters.meter
    inner join months
        on
            runs.valid_from < months.month_end
            and months.month_start < runs.valid_to
)

select * from monthly
