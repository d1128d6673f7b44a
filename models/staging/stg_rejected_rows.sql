-- One row per problem of a landed row that was rejected; of a usage row the value is
-- not kept.
with

files as (
    select * from {{ ref('stg_usage_files') }}
),

contract_rows as (
    select
        source_file,
        cast(line as bigint) as line,
        column_name,
        value,
        reason,
        contract_id
    from {{ source('raw', 'rejected_rows') }}
),

usage_rows as (
    select
        files.published_file as source_file,
        landed.line,
        landed.column_name,
        cast(null as varchar) as value,
        landed.reason,
        cast(null as varchar) as contract_id
    from {{ source('raw', 'unreadable_usage_rows') }} as landed
    inner join files
        on landed.feed = files.feed and landed.file_id = files.file_id
),

-- Nothing of them was kept.
failed_files as (
    select
        {{ published_file() }} as source_file,
        cast(null as bigint) as line,
        cast(null as varchar) as column_name,
        cast(null as varchar) as value,
        'the file ' || reason as reason,
        cast(null as varchar) as contract_id
    from {{ source('raw', 'failed_usage_files') }}
),

rejected as (
    select * from contract_rows
    union all
    select * from usage_rows
    union all
    select * from failed_files
)

select * from rejected
