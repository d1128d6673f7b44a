-- Of each file: rows read = known + not yet known + unreadable, and the outcomes add
-- up to the rows known. A row here is a file in which an event was lost or doubled.
with

files as (
    select * from {{ ref('intake_files') }}
),

outcomes as (
    select
        feed,
        source_file,
        sum(rows) as rows
    from {{ ref('usage_outcomes') }}
    group by feed, source_file
)

select
    files.feed,
    files.source_file,
    files.rows_read,
    files.known,
    files.not_yet_known,
    files.unreadable,
    outcomes.rows
from files
left join outcomes
    on files.feed = outcomes.feed and files.source_file = outcomes.source_file
where
    files.rows_read <> files.known + files.not_yet_known + files.unreadable
    or files.known <> coalesce(outcomes.rows, 0)
