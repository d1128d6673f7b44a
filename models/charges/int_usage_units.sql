-- One row per usage line, facility and month, or span of it where days matter: units
-- charged and a count of the scope in whose tier they are (U2, U6).
with

days as (
    select * from {{ ref('billable_usage') }}
),

spans as (
    select * from {{ ref('int_usage_spans') }}
),

months as (
    select * from {{ ref('billable_months') }}
),

counts as (
    select * from {{ ref('int_usage_counts') }}
),

usage as (
    select
        days.line_id,
        days.service_from,
        days.facility_id,
        spans.begins_on,
        spans.is_apart,
        spans.counted_before,
        days.service_date,
        days.units
    from days
    inner join spans
        on
            days.line_id = spans.line_id
            and days.service_from = spans.service_from
            and days.service_date = spans.service_date
    union all
    select
        months.line_id,
        months.service_from,
        months.facility_id,
        months.service_month as begins_on,
        false as is_apart,
        counts.counted_before,
        months.first_date as service_date,
        months.units
    from months
    inner join counts
        on
            months.line_id = counts.line_id
            and months.service_from = counts.service_from
            and not counts.is_by_day
),

summed as (
    select
        line_id,
        service_from,
        facility_id,
        begins_on,
        is_apart,
        min(counted_before) as counted_before,
        min(service_date) as service_date,
        sum(units) as units
    from usage
    group by line_id, service_from, facility_id, begins_on, is_apart
),

-- Of a span in which no bound is reached it is one tier wherever in it they stand.
counted as (
    select
        *,
        counted_before + units as counted
    from summed
    where not is_apart
    union all
    select
        *,
        counted_before + sum(units) over (
            partition by line_id, service_from, begins_on
            order by {{ by_bytes('facility_id') }}
            rows unbounded preceding
        ) as counted
    from summed
    where is_apart
)

select
    counted.line_id,
    counts.version_start,
    counted.service_from,
    counted.facility_id,
    counted.service_date,
    cast(counted.units as decimal(18, 4)) as units,
    cast(
        greatest(
            least(counted.units, counted.counted - counts.included_quantity), 0
        ) as decimal(18, 4)
    ) as charged_units,
    cast({{ reached('counts', 'counted.counted') }} as decimal(18, 4)) as reached
from counted
inner join counts
    on
        counted.line_id = counts.line_id
        and counted.service_from = counts.service_from
