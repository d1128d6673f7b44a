-- One row per month of events: by what its events and daily counts are made, in one
-- text. If it is another than they were made by, they are made again; else they stand.
with

receipts as (
    select * from {{ ref('stg_usage_receipts') }}
),

meters as (
    select * from {{ ref('meters') }}
),

counted_types as (
    select distinct event_type
    from {{ ref('int_usage_meters') }}
    where aggregation = 'distinct_patients'
),

-- What events of every month are told apart by.
settings as (
    select {{ joined_key(['event_type', 'classes', 'codes']) }} as setting
    from meters
    where classes is not null or codes is not null
    union
    select {{ joined_key(["'patients'", 'event_type']) }} as setting
    from counted_types
    union
    select
        {{ code_of(
            [
                'stg_usage_rows', 'usage_events', 'int_receipt_days', 'daily_usage',
                'daily_patients', 'rejected_events'
            ],
            [obstacle('located'), recency('usage_rows', 'files'), each_listed('codes')]
        ) }} as setting
),

all_settings as (
    select {{ all_in_one_text('setting') }} as setting
    from settings
),

-- The same last load: the same rows. As many known: the same ones, as what is known
-- only grows with the as-of day. Beyond it lies a future date.
months as (
    select
        event_month,
        max(load_no) as load_no,
        cast(sum(case when is_known then event_rows else 0 end) as bigint) as known,
        least(
            max(case when is_known then last_service_date end), {{ as_of() }}
        ) as horizon
    from receipts
    group by event_month
),

ended_agreements as (
    select distinct
        receipts.event_month,
        cast(receipt_days.received_after as varchar) as received_after
    from receipts
    inner join {{ ref('int_receipt_days') }} as receipt_days
        on receipts.received_on = receipt_days.received_on
    where receipts.is_known
),

endings as (
    select
        event_month,
        {{ all_in_one_text('received_after') }} as ended
    from ended_agreements
    group by event_month
)

select
    months.event_month,
    {{ joined_key([
        'months.load_no', 'months.known', 'months.horizon', 'endings.ended',
        'all_settings.setting'
    ]) }} as inputs
from months
cross join all_settings
left join endings on months.event_month = endings.event_month
where months.known > 0
