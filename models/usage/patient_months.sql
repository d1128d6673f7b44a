-- One row per month of events and type in it with patients to count (U8): its inputs.
with

counted_types as (
    select distinct event_type
    from {{ ref('int_usage_meters') }}
    where aggregation = 'distinct_patients'
),

months as (
    select distinct
        usage.event_month,
        usage.event_type,
        usage.inputs
    from {{ ref('daily_usage') }} as usage
    inner join counted_types on usage.event_type = counted_types.event_type
    where usage.obstacle = '' and usage.has_patient
)

select * from months
