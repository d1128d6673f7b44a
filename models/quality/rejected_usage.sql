-- One row per rejected event: why, since when and what would mend it, without anything
-- that could tell a patient.
with

rejected as (
    select * from {{ ref('rejected_events') }}
),

files as (
    select * from {{ ref('stg_usage_files') }}
),

meters as (
    select distinct event_type from {{ ref('meters') }}
),

facilities as (
    select * from {{ ref('stg_facilities') }}
),

identifiers as (
    select * from {{ ref('stg_facility_identifiers') }}
),

shown as (
    select
        rejected.feed,
        case when not files.has_phi then rejected.event_id end as event_id,
        case
            when rejected.facility = '' then null
            when
                not files.has_phi
                or facilities.facility_id is not null
                or identifiers.facility_id is not null
                or {{ looks_like_facility_number('rejected.facility') }}
                then rejected.facility
            else '(unreadable)'
        end as facility,
        case
            when not files.has_phi or meters.event_type is not null
                then rejected.event_type
            else '(other)'
        end as event_type,
        rejected.reason,
        {{ remedy_for('rejected.reason') }} as remedy,
        files.published_file as source_file,
        rejected.line,
        case
            when files.has_phi then {{ month_of('rejected.service_date') }}
            else rejected.service_date
        end as service_date,
        case
            when files.has_phi then {{ month_of('rejected.received_on') }}
            else rejected.received_on
        end as first_seen
    from rejected
    inner join files
        on rejected.feed = files.feed and rejected.file_id = files.file_id
    left join meters on rejected.event_type = meters.event_type
    left join facilities on rejected.facility = facilities.facility_id
    left join identifiers
        on
            rejected.feed = identifiers.feed
            and rejected.facility = identifiers.identifier
)

select * from shown
