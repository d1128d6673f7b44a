-- One row per feed and event id: of the rows known, the one received last (U1, UE-2).
-- Rows that decide about one another are of one month.
with

-- What a meter asks for by name.
metered_classes as (
    select distinct
        event_type,
        {{ each_listed('classes') }} as class
    from {{ ref('meters') }}
    where classes is not null
),

metered_codes as (
    select distinct
        event_type,
        {{ each_listed('codes') }} as code
    from {{ ref('meters') }}
    where codes is not null
),

files as (
    select * from {{ ref('stg_usage_files') }}
),

-- Events of several rows alone are ranked.
ranked as (
    select
        usage_rows.*,
        {{ recency('usage_rows', 'files') }} as recency
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join files
        on usage_rows.feed = files.feed and usage_rows.file_id = files.file_id
    where usage_rows.is_known and usage_rows.is_repeated
),

latest as (
    select {{ columns_of_usage('usage_rows') }}
    from {{ ref('stg_usage_rows') }} as usage_rows
    where usage_rows.is_known and not usage_rows.is_repeated
    union all
    select {{ columns_of_usage('ranked') }}
    from ranked
    where recency = 1
),

-- Of procedures without a facility of their own.
wanted as (
    select distinct encounter_hash
    from {{ ref('stg_usage_rows') }}
    where encounter_hash is not null
),

encounters as (
    select
        usage_rows.feed,
        usage_rows.event_id,
        usage_rows.event_type,
        usage_rows.facility,
        usage_rows.event_month,
        {{ recency('usage_rows', 'files') }} as recency
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join wanted on usage_rows.event_hash = wanted.encounter_hash
    inner join files
        on usage_rows.feed = files.feed and usage_rows.file_id = files.file_id
    where usage_rows.is_known
),

located as (
    select
        {{ columns_of_usage('latest', without=['facility', 'class', 'code']) }},
        coalesce(latest.facility, encounters.facility) as facility,
        coalesce(latest.class, '') as class,
        coalesce(latest.code, '') as code
    from latest
    left join encounters
        on
            latest.event_month = encounters.event_month
            and latest.feed = encounters.feed
            and latest.encounter_id = encounters.event_id
            and encounters.event_type = 'encounter'
            and encounters.recency = 1
),

judged as (
    select
        located.feed,
        located.event_id,
        located.file_id,
        located.line,
        located.event_type,
        coalesce(located.facility, '') as facility,
        located.patient_token,
        located.class,
        located.code,
        coalesce(metered_classes.class, '') as counted_class,
        coalesce(metered_codes.code, '') as counted_code,
        {{ obstacle('located') }} as obstacle,
        located.quantity,
        located.patient_token is not null as has_patient,
        located.service_date,
        located.received_on,
        located.event_month
    from located
    left join metered_classes
        on
            located.event_type = metered_classes.event_type
            and located.class = metered_classes.class
    left join metered_codes
        on
            located.event_type = metered_codes.event_type
            and located.code = metered_codes.code
)

select * from judged
