-- One row per usage line, facility and day, or month where the day does not matter:
-- units charged and where the count stands (U2, U6).
with

days as (
    select * from {{ ref('billable_usage') }}
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
        days.service_date as begins_on,
        days.service_date,
        days.units
    from days
    inner join counts
        on
            days.line_id = counts.line_id
            and days.service_from = counts.service_from
            and counts.is_by_day
    union all
    select
        months.line_id,
        months.service_from,
        months.facility_id,
        months.service_month as begins_on,
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
        min(service_date) as service_date,
        sum(units) as units
    from usage
    group by line_id, service_from, facility_id, begins_on
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
