-- One row per usage line's term with usage: where the scope's count stands at its end,
-- and whether it matters what was counted on which day (U2, U6).
with

usage as (
    select
        line_id,
        service_from,
        sum(units) as units
    from {{ ref('billable_months') }}
    group by line_id, service_from
),

terms as (
    select * from {{ ref('int_usage_terms') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

commitments as (
    select distinct line_id
    from {{ ref('commitment_versions') }}
    where kind = 'quantity'
),

counted as (
    select
        terms.*,
        versions.pricing_model,
        versions.included_quantity,
        usage.units,
        sum(usage.units) over (
            partition by terms.line_id, terms.scope_start order by terms.service_from
        ) as counted
    from terms
    inner join usage
        on terms.line_id = usage.line_id and terms.service_from = usage.service_from
    inner join versions
        on
            terms.line_id = versions.line_id
            and terms.version_start = versions.version_start
),

charged as (
    select
        *,
        greatest(counted - greatest(counted - units, included_quantity), 0)
            as charged_units
    from counted
),

placed as (
    select
        *,
        sum(charged_units) over (scope order by service_from) as reached,
        sum(charged_units) over (scope order by period_start) as reached_by_period_end
    from charged
    window scope as (partition by line_id, scope_start)
),

crossed as (
    select distinct
        placed.line_id,
        placed.service_from
    from placed
    inner join tiers
        on
            placed.line_id = tiers.line_id
            and placed.version_start = tiers.version_start
            and tiers.up_to > placed.reached - placed.charged_units
            and tiers.up_to < placed.reached
    where placed.pricing_model = 'graduated'
)

select
    placed.line_id,
    placed.contract_id,
    placed.version_start,
    placed.period_start,
    placed.period_end,
    placed.scope_start,
    placed.service_from,
    placed.service_to,
    placed.pricing_model,
    placed.included_quantity,
    cast(placed.counted - placed.units as decimal(18, 4)) as counted_before,
    cast(placed.reached - placed.charged_units as decimal(18, 4)) as reached_before,
    cast(placed.reached_by_period_end as decimal(18, 4)) as reached_by_period_end,
    commitments.line_id is not null as is_committed,
    crossed.line_id is not null
    or commitments.line_id is not null
    or (
        placed.counted - placed.units < placed.included_quantity
        and placed.included_quantity < placed.counted
    ) as is_by_day
from placed
left join crossed
    on placed.line_id = crossed.line_id and placed.service_from = crossed.service_from
left join commitments on placed.line_id = commitments.line_id
