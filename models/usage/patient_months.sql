-- One row per month of events in which there are patients to count: its inputs.
with

counted_types as (
    select distinct event_type
    from {{ ref('int_usage_meters') }}
    where aggregation = 'distinct_patients'
),

months as (
    select distinct
        usage.event_month,
        usage.inputs
    from {{ ref('daily_usage') }} as usage
    inner join counted_types on usage.event_type = counted_types.event_type
    where usage.obstacle = '' and usage.has_patient
)

select * from months
