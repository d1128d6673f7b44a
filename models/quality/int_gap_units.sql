-- One row per gap and usage line that charged the facility before it (none: one without
-- a line): units of the line, and events of this feed and of all feeds (G1, G2).
with

silences as (
    select * from {{ ref('int_silences') }}
),

days as (
    select * from {{ ref('int_reported_days') }}
),

lines as (
    select distinct line_id, contract_id
    from {{ ref('line_versions') }}
),

billable as (
    select
        lines.contract_id,
        usage.line_id,
        usage.facility_id,
        usage.service_date,
        usage.units
    from {{ ref('billable_usage') }} as usage
    inner join lines on usage.line_id = lines.line_id
    -- Who is silent reported within 400 days; the 56 to then are looked at.
    where usage.service_date >= {{ plus_days(as_of(), -455) }}
),

-- Beyond a facility's own history, or while its whole feed is silent beyond its own.
gaps as (
    select
        *,
        {{ plus_days('last_date', -55) }} as first_date
    from silences
    where
        facility_id <> ''
        and (
            is_implausible
            or exists (
                select 1
                from silences as feeds
                where
                    silences.feed = feeds.feed
                    and feeds.facility_id = ''
                    and feeds.is_implausible
                    and {{ overlap(
                        'feeds.silent_from', 'feeds.silent_to',
                        'silences.silent_from', 'silences.silent_to'
                    ) }}
            )
        )
),

-- A facility may be told of by several feeds.
told as (
    select
        gaps.feed,
        gaps.facility_id,
        gaps.silent_from,
        cast(sum(days.events) as bigint) as facility_events
    from gaps
    inner join days
        on
            gaps.facility_id = days.facility_id
            and days.service_date between gaps.first_date and gaps.last_date
    group by gaps.feed, gaps.facility_id, gaps.silent_from
),

counted as (
    select
        gaps.feed,
        gaps.facility_id,
        gaps.contract_id,
        billable.line_id,
        gaps.events,
        told.facility_events,
        gaps.history_days,
        gaps.silent_days,
        gaps.silent_from,
        gaps.silent_to,
        cast(coalesce(sum(billable.units), 0) as decimal(18, 4)) as units
    from gaps
    inner join told
        on
            gaps.feed = told.feed
            and gaps.facility_id = told.facility_id
            and gaps.silent_from = told.silent_from
    left join billable
        on
            gaps.contract_id = billable.contract_id
            and gaps.facility_id = billable.facility_id
            and billable.service_date between gaps.first_date and gaps.last_date
    group by
        gaps.feed,
        gaps.facility_id,
        gaps.contract_id,
        billable.line_id,
        gaps.events,
        told.facility_events,
        gaps.history_days,
        gaps.silent_days,
        gaps.silent_from,
        gaps.silent_to
)

select * from counted
