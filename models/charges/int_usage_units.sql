-- One row per usage line, facility and day, or month where the day does not matter: units
-- charged and where the count stands (U2, U6).
with

usage as (
    select * from {{ ref('billable_usage') }}
),

counts as (
    select * from {{ ref('int_usage_counts') }}
),

summed as (
    select
        usage.line_id,
        usage.service_from,
        usage.facility_id,
        min(usage.service_date) as service_date,
        sum(usage.units) as units
    from usage
    inner join counts
        on usage.line_id = counts.line_id and usage.service_from = counts.service_from
    group by
        usage.line_id,
        usage.service_from,
        usage.facility_id,
        {{ month_of('usage.service_date') }},
        case when counts.is_by_day then usage.service_date end
),

counted as (
    select
        summed.*,
        counts.version_start,
        counts.counted_before,
        counts.reached_before,
        counts.included_quantity,
        counts.counted_before + sum(summed.units) over (
            partition by summed.line_id, summed.service_from
            order by summed.service_date, {{ by_bytes('summed.facility_id') }}
            rows unbounded preceding
        ) as counted
    from summed
    inner join counts
        on summed.line_id = counts.line_id and summed.service_from = counts.service_from
),

placed as (
    select
        line_id,
        version_start,
        service_from,
        facility_id,
        service_date,
        cast(units as decimal(18, 4)) as units,
        cast(
            greatest(least(units, counted - included_quantity), 0) as decimal(18, 4)
        ) as charged_units,
        cast(
            reached_before
            + greatest(counted - greatest(counted_before, included_quantity), 0)
            as decimal(18, 4)
        ) as reached
    from counted
)

select * from placed
