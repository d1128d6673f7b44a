-- One row per feed and landed usage file, with the name it is published under.
with

landed as (
    select * from {{ source('raw', 'usage_files') }}
),

named as (
    select
        feed,
        file_id,
        source_file,
        {{ published_file() }} as published_file,
        has_phi,
        rows_read,
        unreadable
    from landed
)

select * from named
