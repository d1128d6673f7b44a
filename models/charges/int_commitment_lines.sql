-- One row per commitment to a line, period and day looked at, a month's end or the
-- period's: the terms of the line on its last active day before (M2, M3, M6).
with

periods as (
    select * from {{ ref('commitment_periods') }}
),

months as (
    select * from {{ ref('int_commitment_months') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

meters as (
    select * from {{ ref('meters') }}
),

days as (
    select commitment_id, line_id, period_start, period_end as looked_to
    from periods
    union
    select commitment_id, line_id, period_start, counted_to as looked_to
    from months
),

active as (
    select
        days.commitment_id,
        days.period_start,
        days.looked_to,
        versions.line_id,
        versions.version_start,
        versions.pricing_model,
        versions.product_id,
        meters.unit_label,
        row_number() over (
            partition by days.commitment_id, days.period_start, days.looked_to
            order by versions.valid_from desc
        ) as recency
    from days
    inner join versions
        on
            days.line_id = versions.line_id
            and versions.is_active
            and versions.valid_from < days.looked_to
    left join meters on versions.meter = meters.meter
)

select
    commitment_id,
    period_start,
    looked_to,
    line_id,
    version_start,
    pricing_model,
    product_id,
    unit_label
from active
where recency = 1
