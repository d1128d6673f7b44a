-- One row per month of events: by what its daily usage is attributed and metered, in
-- one digest; of the terms those of the months in which its events may be.
with

months as (
    select * from {{ ref('usage_months') }}
),

service_months as (
    select distinct event_month, service_month
    from {{ ref('stg_usage_receipts') }}
    where is_known and service_month is not null
),

calendar as (
    select
        month_start,
        {{ plus_days('month_start', 'days_in_month') }} as month_end
    from {{ ref('calendar_months') }}
    where month_start in (select service_month from service_months)
),

-- What was in force in a month, as far as it was: what changes later is another's.
spans as (
    select
        {{ joined_key(["'contract'", 'contract_id', 'customer_id']) }} as term,
        valid_from,
        valid_to
    from {{ ref('contracts') }}
    union all
    select
        {{ joined_key(["'facility'", 'facility_id', 'contract_id']) }} as term,
        valid_from,
        valid_to
    from {{ ref('facility_contracts') }}
),

monthly as (
    select
        calendar.month_start,
        {{ joined_key([
            'spans.term', 'greatest(spans.valid_from, calendar.month_start)',
            'least(spans.valid_to, calendar.month_end)'
        ]) }} as term
    from spans
    inner join calendar
        on
            spans.valid_from < calendar.month_end
            and calendar.month_start < spans.valid_to
    union all
    select
        service_month as month_start,
        {{ joined_key([
            'line_id', 'contract_id', 'service_from', 'meter', 'event_type', 'classes',
            'codes', 'aggregation', 'counted_from', 'valid_from', 'valid_to'
        ]) }} as term
    from {{ ref('int_usage_meters') }}
    where service_month in (select service_month from service_months)
),

digests as (
    select
        month_start,
        {{ digest(all_in_one_text('term')) }} as terms
    from monthly
    group by month_start
),

terms as (
    select
        service_months.event_month,
        {{ all_in_one_text(
            joined_key(['service_months.service_month', 'digests.terms'])
        ) }} as terms
    from service_months
    left join digests on service_months.service_month = digests.month_start
    group by service_months.event_month
),

-- What holds whenever an event took place.
settings as (
    select {{ joined_key(["'named'", 'feed', 'identifier', 'facility_id']) }} as setting
    from {{ ref('stg_facility_identifiers') }}
    union all
    select {{ joined_key(["'of'", 'facility_id', 'customer_id']) }} as setting
    from {{ ref('stg_facilities') }}
    union all
    select {{ joined_key(["'agreed'", 'customer_id', 'agreed_through']) }} as setting
    from {{ ref('stg_agreements') }}
    union all
    select
        {{ code_of(
            [
                'int_located_usage', 'attributed_usage', 'metered_usage',
                'metered_months'
            ],
            [
                in_force('terms', 'day'), counts('meter', 'usage'), month_of('day'),
                days_of_month('meter'), is_among_days('days', 'day'), hash_of_day()
            ]
        ) }} as setting
),

all_settings as (
    select {{ digest(all_in_one_text('setting')) }} as settings
    from settings
)

select
    months.event_month,
    {{ digest(joined_key(['months.inputs', 'all_settings.settings', 'terms.terms'])) }}
        as inputs
from months
cross join all_settings
left join terms on months.event_month = terms.event_month
