-- One row per usage line, facility and day: patients seen for the first time in the
-- line's billing period, merged ones as one (U8).
with

patients as (
    select * from {{ ref('daily_patients') }}
),

merged as (
    select * from {{ ref('stg_merged_patients') }}
),

usage as (
    select * from {{ ref('attributed_usage') }}
),

meters as (
    select * from {{ ref('int_usage_meters') }}
),

seen as (
    select
        meters.line_id,
        meters.service_from,
        meters.counted_from,
        usage.facility_id,
        patients.service_date,
        row_number() over (
            partition by
                meters.line_id,
                meters.period_start,
                coalesce(merged.counted_as, patients.patient_token)
            order by patients.service_date, {{ by_bytes('usage.facility_id') }}
        ) as visit
    from patients
    inner join usage
        on
            patients.event_month = usage.event_month
            and patients.feed = usage.feed
            and patients.file_id = usage.file_id
            and patients.facility = usage.facility
            and patients.service_date = usage.service_date
            and patients.received_after is not distinct from usage.received_after
            and patients.event_type = usage.event_type
            and patients.class = usage.class
            and patients.code = usage.code
            and usage.has_patient
            and usage.outcome = 'billable'
    inner join meters
        on
            usage.contract_id = meters.contract_id
            and meters.aggregation = 'distinct_patients'
            and {{ month_of('patients.service_date') }} = meters.service_month
            and {{ in_force('meters', 'patients.service_date') }}
            and {{ counts('meters', 'patients') }}
    left join merged on patients.patient_token = merged.patient_token
),

counted as (
    select
        line_id,
        service_from,
        facility_id,
        service_date,
        count(*) as units
    from seen
    where visit = 1 and service_date >= counted_from
    group by line_id, service_from, facility_id, service_date
)

select * from counted
