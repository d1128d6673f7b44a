-- Per line: what its meter counted is what its tiers were counted over (U1, U3).
with

billable as (
    select line_id, sum(units) as units
    from {{ ref('billable_usage') }}
    group by line_id
),

counted as (
    select line_id, sum(units) as units
    from {{ ref('int_usage_units') }}
    group by line_id
)

select
    billable.line_id,
    billable.units,
    counted.units as units_counted
from billable
left join counted on billable.line_id = counted.line_id
where billable.units <> coalesce(counted.units, 0)
