-- One row per notice of the ledger: what was done about it last, and who approved it.
with

events as (
    select
        *,
        row_number() over (partition by notice_id order by seq desc) as recency,
        max(case when event = 'approved' then by_name end) over (
            partition by notice_id
        ) as approved_by,
        max(case when event = 'sent' then as_of end) over (
            partition by notice_id
        ) as last_sent_on
    from {{ source('ledger', 'notice_events') }}
)

select
    notice_id,
    customer_id,
    invoice_number,
    dunning_tier,
    step,
    action,
    channel,
    event as last_event,
    approved_by,
    case
        when event in ('sent', 'handed_over', 'seen') then last_sent_on
    end as sent_on
from events
where recency = 1
