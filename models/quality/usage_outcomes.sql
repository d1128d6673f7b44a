-- One row per feed, file, month of service, outcome and reason: adds up to the rows
-- known.
with

usage as (
    select * from {{ ref('attributed_usage') }}
),

known as (
    select * from {{ ref('stg_usage_receipts') }}
    where is_known
),

files as (
    select * from {{ ref('stg_usage_files') }}
),

latest as (
    select
        feed,
        file_id,
        {{ month_of('service_date') }} as service_month,
        outcome,
        cast(sum(events) as bigint) as event_rows
    from usage
    group by feed, file_id, {{ month_of('service_date') }}, outcome
),

-- A row known that is not the latest of its event was replaced by another.
replaced as (
    select
        feed,
        file_id,
        service_month,
        'replaced' as outcome,
        event_rows
    from known
    union all
    select
        feed,
        file_id,
        service_month,
        'replaced' as outcome,
        -event_rows as event_rows
    from latest
),

counted as (
    select * from latest
    union all
    select * from replaced
),

summed as (
    select
        counted.feed,
        files.published_file as source_file,
        counted.service_month,
        case
            when {{ is_rejection('counted.outcome') }} then 'rejected'
            else counted.outcome
        end as outcome,
        case
            when {{ is_rejection('counted.outcome') }} then counted.outcome
        end as reason,
        cast(sum(counted.event_rows) as bigint) as rows
    from counted
    inner join files
        on counted.feed = files.feed and counted.file_id = files.file_id
    group by
        counted.feed,
        files.published_file,
        counted.service_month,
        counted.outcome
)

select *
from summed
where rows <> 0
