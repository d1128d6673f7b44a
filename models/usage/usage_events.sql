-- One row per feed and event id: of the rows known, the one received last (U1, UE-2).
-- Made month by month: rows that decide about one another are of one month.
with

months as (
    select *
    from {{ ref('usage_months') }}
    where event_month not in (select event_month from {{ this }})
),

meters as (
    select * from {{ ref('meters') }}
),

-- Few events have several rows; they alone are ranked.
repeated as (
    select usage_rows.event_hash
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join months on usage_rows.event_month = months.event_month
    where usage_rows.is_known
    group by usage_rows.event_hash
    having count(*) > 1
),

ranked as (
    select
        usage_rows.*,
        {{ recency('usage_rows') }} as recency
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join repeated on usage_rows.event_hash = repeated.event_hash
    where usage_rows.is_known
),

latest as (
    select {{ columns_of_usage('usage_rows') }}
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join months on usage_rows.event_month = months.event_month
    left join repeated on usage_rows.event_hash = repeated.event_hash
    where usage_rows.is_known and repeated.event_hash is null
    union all
    select {{ columns_of_usage('ranked') }}
    from ranked
    where recency = 1
),

-- Of procedures without a facility of their own.
wanted as (
    select distinct usage_rows.encounter_hash
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join months on usage_rows.event_month = months.event_month
    where usage_rows.encounter_hash is not null
),

encounters as (
    select
        usage_rows.feed,
        usage_rows.event_id,
        usage_rows.event_type,
        usage_rows.facility,
        {{ recency('usage_rows') }} as recency
    from {{ ref('stg_usage_rows') }} as usage_rows
    inner join wanted on usage_rows.event_hash = wanted.encounter_hash
    where usage_rows.is_known
),

located as (
    select
        {{ columns_of_usage('latest', without=['facility', 'class', 'code']) }},
        coalesce(latest.facility, encounters.facility) as facility,
        coalesce(latest.class, '') as class,
        coalesce(latest.code, '') as code,
        months.inputs
    from latest
    inner join months on latest.event_month = months.event_month
    left join encounters
        on
            latest.encounter_id = encounters.event_id
            and latest.feed = encounters.feed
            and encounters.event_type = 'encounter'
            and encounters.recency = 1
),

judged as (
    select
        feed,
        event_id,
        file_id,
        line,
        event_type,
        coalesce(facility, '') as facility,
        patient_token,
        class,
        code,
        {{ if_metered('class', 'classes', 'located') }} as counted_class,
        {{ if_metered('code', 'codes', 'located') }} as counted_code,
        status,
        {{ obstacle() }} as obstacle,
        inputs,
        quantity,
        patient_token is not null as has_patient,
        service_date,
        received_on,
        event_month
    from located
)

select * from judged
