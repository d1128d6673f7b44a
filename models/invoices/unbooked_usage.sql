-- One row per line, facility and day whose units the invoices to be issued rest on,
-- less what was booked (C8).
with

terms as (
    select line_id, service_from
    from {{ ref('int_usage_terms') }}
    where period_end <= {{ issue_through() }}
),

-- Told twice, which costs less than to keep its rows.
booked as not materialized (
    select * from {{ ref('stg_billed_usage') }}
),

lines as (
    select distinct versions.line_id
    from {{ ref('line_versions') }} as versions
    inner join {{ ref('contracts') }} as contracts
        on versions.contract_id = contracts.contract_id
    where not contracts.is_held
),

hashed as (
    select
        months.line_id,
        months.service_month,
        months.hash_of_days
    from {{ ref('billable_months') }} as months
    inner join terms
        on months.line_id = terms.line_id and months.service_from = terms.service_from
    union all
    select
        line_id,
        {{ month_of('service_date') }} as service_month,
        -{{ hash_of_day() }} as hash_of_days
    from booked
),

-- Where the same days are due and booked there is no difference, and no need to match
-- them one by one, which is most of the work.
changed as (
    select
        hashed.line_id,
        hashed.service_month
    from hashed
    inner join lines on hashed.line_id = lines.line_id
    group by hashed.line_id, hashed.service_month
    having sum(hashed.hash_of_days) <> 0
),

since as (
    select min(service_month) as first_month from changed
),

due_and_booked as (
    select
        usage.line_id,
        usage.facility_id,
        usage.service_date,
        usage.units
    from {{ ref('billable_usage') }} as usage
    inner join terms
        on usage.line_id = terms.line_id and usage.service_from = terms.service_from
    where usage.service_date >= (select first_month from since)
    union all
    select
        line_id,
        facility_id,
        service_date,
        -units as units
    from booked
    where service_date >= (select first_month from since)
),

differences as (
    select
        due_and_booked.line_id,
        due_and_booked.facility_id,
        due_and_booked.service_date,
        cast(sum(due_and_booked.units) as decimal(18, 4)) as units
    from due_and_booked
    inner join changed
        on
            due_and_booked.line_id = changed.line_id
            and {{ month_of('due_and_booked.service_date') }} = changed.service_month
    group by
        due_and_booked.line_id,
        due_and_booked.facility_id,
        due_and_booked.service_date
),

waiting as (
    select distinct line_id, service_start, service_end
    from {{ ref('unbooked_charges') }}
    where line_type = 'usage' and invoice_date > {{ issue_through() }}
),

settled as (
    select differences.*
    from differences
    left join waiting
        on
            differences.line_id = waiting.line_id
            and differences.service_date between
            waiting.service_start and waiting.service_end
    where
        -- In one, not two conditions: by the one on units the engine would expect so
        -- few rows that it put these into the table, and not those that wait.
        case when waiting.line_id is null then differences.units else 0 end <> 0
        and {{ issue_through() }} is not null
)

select * from settled
