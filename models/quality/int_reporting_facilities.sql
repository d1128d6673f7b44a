-- One row per feed and facility with billable usage in the last 400 days: whether it
-- reported in each two of the last 64, so that no silence of three days reaches into
-- the last 62 (G1).
with

usage as (
    select
        feed,
        facility_id,
        {{ days_between('service_date', as_of()) }} as days_ago
    from {{ ref('attributed_usage') }}
    where {{ is_lately_reported() }}
)

select
    feed,
    facility_id,
    count(distinct case when days_ago <= 64 then days_ago + mod(days_ago, 2) end) = 32
        as is_steady
from usage
group by feed, facility_id
