-- One row per calendar month, with its length and its number since year 0.
with

months as (
    {{ months('1988-01-01', '2111-12-01') }}
),

measured as (
    select
        month_start,
        cast(
            extract(year from month_start) * 12 + extract(month from month_start)
            as integer
        ) as month_index,
        {{ days_between(
            'month_start', 'lead(month_start) over (order by month_start)'
        ) }} as days_in_month
    from months
)

select *
from measured
where days_in_month is not null
