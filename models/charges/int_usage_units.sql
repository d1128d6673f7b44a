-- One row per usage line, facility and day: units charged and where the count stands
-- (U2, U6).
with

usage as (
    select * from {{ ref('billable_usage') }}
),

terms as (
    select * from {{ ref('int_usage_terms') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

counted as (
    select
        terms.line_id,
        terms.contract_id,
        terms.version_start,
        terms.period_start,
        terms.period_end,
        terms.scope_start,
        terms.service_from,
        terms.service_to,
        usage.facility_id,
        usage.service_date,
        usage.units,
        versions.pricing_model,
        versions.included_quantity,
        sum(usage.units) over (
            partition by terms.line_id, terms.scope_start
            order by usage.service_date, {{ by_bytes('usage.facility_id') }}
            rows unbounded preceding
        ) as counted
    from usage
    inner join terms
        on
            usage.line_id = terms.line_id
            and usage.service_date >= terms.service_from
            and usage.service_date < terms.service_to
    inner join versions
        on
            terms.line_id = versions.line_id
            and terms.version_start = versions.version_start
),

charged as (
    select
        *,
        cast(
            greatest(least(units, counted - included_quantity), 0) as decimal(18, 4)
        ) as charged_units
    from counted
),

placed as (
    select
        line_id,
        contract_id,
        version_start,
        period_start,
        period_end,
        scope_start,
        service_from,
        service_to,
        pricing_model,
        facility_id,
        units,
        charged_units,
        cast(
            sum(charged_units) over (
                partition by line_id, scope_start
                order by service_date, {{ by_bytes('facility_id') }}
                rows unbounded preceding
            ) as decimal(18, 4)
        ) as reached,
        cast(
            sum(charged_units) over (
                partition by line_id, scope_start order by period_start
            ) as decimal(18, 4)
        ) as reached_by_period_end,
        service_date
    from charged
)

select * from placed
