-- One row per month of events of which some are rejected: by what its rejected events
-- are told, in one text. If it is another than they were told by, they are told again.
with

months as (
    select * from {{ ref('usage_months') }}
),

rejected as (
    select
        event_month,
        {{ joined_key([
            'feed', 'file_id', 'facility', 'event_type', 'class', 'code', 'obstacle',
            'has_patient', 'service_date', 'received_after', 'outcome'
        ]) }} as kind
    from {{ ref('attributed_usage') }}
    where {{ is_rejection('outcome') }}
),

kinds as (
    select
        event_month,
        {{ digest(all_in_one_text('kind')) }} as kinds
    from rejected
    group by event_month
)

select
    months.event_month,
    {{ joined_key(['months.inputs', 'kinds.kinds']) }} as inputs
from kinds
inner join months on kinds.event_month = months.event_month
