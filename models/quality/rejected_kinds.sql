-- One row per feed, file, facility as sent, day and agreements ended whose events are
-- rejected, with the reason; type, class and code have no part in it. `inputs` is by
-- what the rejected events of the month are told: if it is another, they are told
-- again.
with

months as (
    select * from {{ ref('usage_months') }}
),

kinds as (
    select distinct
        event_month,
        feed,
        file_id,
        facility,
        obstacle,
        service_date,
        received_after,
        outcome as reason
    from {{ ref('attributed_usage') }}
    where {{ is_rejection('outcome') }}
),

digests as (
    select
        event_month,
        sum({{ whole_hash(
            'feed', 'file_id', 'facility', 'obstacle', 'service_date', 'received_after',
            'reason'
        ) }}) as kinds
    from kinds
    group by event_month
)

select
    kinds.*,
    {{ joined_key(['months.inputs', 'digests.kinds']) }} as inputs
from kinds
inner join digests on kinds.event_month = digests.event_month
inner join months on kinds.event_month = months.event_month
