-- One row per landed usage file: its rows, known, not yet known and unreadable.
with

files as (
    select * from {{ ref('stg_usage_files') }}
),

usage_rows as (
    select
        feed,
        file_id,
        sum(case when is_known then event_rows else 0 end) as known,
        sum(case when is_known then 0 else event_rows end) as not_yet_known
    from {{ ref('stg_usage_receipts') }}
    group by feed, file_id
),

counted as (
    select
        files.feed,
        files.published_file as source_file,
        files.file_id as content_hash,
        files.rows_read,
        cast(coalesce(usage_rows.known, 0) as bigint) as known,
        cast(coalesce(usage_rows.not_yet_known, 0) as bigint) as not_yet_known,
        files.unreadable
    from files
    left join usage_rows
        on files.feed = usage_rows.feed and files.file_id = usage_rows.file_id
)

select * from counted
