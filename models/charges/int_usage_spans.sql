-- One row per term whose days matter and day with usage: the span of days it is in.
-- Within one no bound is reached, or it is a single day, which is `apart` (U6, M2).
with

counts as (
    select * from {{ ref('int_usage_counts') }}
    where is_by_day
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

days as (
    select
        usage.line_id,
        usage.service_from,
        usage.service_date,
        sum(usage.units) as units
    from {{ ref('billable_usage') }} as usage
    inner join counts
        on usage.line_id = counts.line_id and usage.service_from = counts.service_from
    group by usage.line_id, usage.service_from, usage.service_date
),

counted as (
    select
        days.line_id,
        days.service_from,
        days.service_date,
        days.units,
        counts.counted_before + sum(days.units) over term as counted
    from days
    inner join counts
        on days.line_id = counts.line_id and days.service_from = counts.service_from
    window term as (
        partition by days.line_id, days.service_from order by days.service_date
    )
),

placed as (
    select
        counted.line_id,
        counted.service_from,
        counted.service_date,
        counted.counted,
        counted.counted - counted.units as counted_before,
        counts.version_start,
        counts.pricing_model,
        counts.included_quantity,
        counts.is_committed,
        {{ reached('counts', 'counted.counted - counted.units') }} as reached_before,
        {{ reached('counts', 'counted.counted') }} as reached
    from counted
    inner join counts
        on
            counted.line_id = counts.line_id
            and counted.service_from = counts.service_from
),

crossed as (
    select distinct
        placed.line_id,
        placed.service_from,
        placed.service_date
    from placed
    inner join tiers
        on
            placed.line_id = tiers.line_id
            and placed.version_start = tiers.version_start
            and tiers.up_to > placed.reached_before
            and tiers.up_to <= placed.reached
    where placed.pricing_model = 'graduated'
),

judged as (
    select
        placed.*,
        placed.is_committed
        or crossed.line_id is not null
        or (
            placed.counted_before < placed.included_quantity
            and placed.included_quantity <= placed.counted
        ) as is_apart
    from placed
    left join crossed
        on
            placed.line_id = crossed.line_id
            and placed.service_from = crossed.service_from
            and placed.service_date = crossed.service_date
),

spans as (
    select
        *,
        max(case when is_apart then {{ plus_days('service_date', 1) }} end) over (
            partition by line_id, service_from order by service_date
        ) as day_after_bound
    from judged
)

select
    line_id,
    service_from,
    service_date,
    is_apart,
    cast(counted_before as decimal(18, 4)) as counted_before,
    case
        when is_apart then service_date
        else greatest({{ month_of('service_date') }}, day_after_bound)
    end as begins_on
from spans
