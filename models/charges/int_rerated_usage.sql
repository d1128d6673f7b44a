-- One row per rerate commitment and period that has ended: its units, and what they
-- cost at the tier they reached, to be rounded (M3).
with

periods as (
    select *
    from {{ ref('commitment_periods') }}
    where true_up = 'rerate' and period_end <= {{ as_of() }}
),

units as (
    select * from {{ ref('int_usage_units') }}
),

lines as (
    select * from {{ ref('int_commitment_lines') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

used as (
    select
        periods.commitment_id,
        periods.line_id,
        periods.period_start,
        periods.period_end,
        units.version_start,
        sum(units.charged_units) as version_units,
        sum(sum(units.charged_units)) over (
            partition by periods.commitment_id, periods.period_start
        ) as quantity
    from periods
    inner join units
        on
            periods.line_id = units.line_id
            and units.service_date >= periods.period_start
            and units.service_date < periods.period_end
    where units.charged_units > 0
    group by
        periods.commitment_id,
        periods.line_id,
        periods.period_start,
        periods.period_end,
        units.version_start
),

valued as (
    select
        used.commitment_id,
        used.line_id,
        used.period_start,
        used.period_end,
        used.quantity,
        sum({{ extended('used.version_units', 'tiers.unit_price') }}) as usage_value
    from used
    inner join tiers
        on
            used.line_id = tiers.line_id
            and used.version_start = tiers.version_start
            and {{ holds('tiers', 'used.quantity') }}
    group by
        used.commitment_id,
        used.line_id,
        used.period_start,
        used.period_end,
        used.quantity
)

-- The fee of the tier reached is that of the line's last version.
select
    valued.commitment_id,
    valued.period_start,
    tiers.tier,
    cast(valued.quantity as decimal(18, 4)) as quantity,
    valued.usage_value + {{ extended('1', 'tiers.flat_fee') }} as full_value
from valued
inner join lines
    on
        valued.commitment_id = lines.commitment_id
        and valued.period_start = lines.period_start
        and valued.period_end = lines.looked_to
inner join tiers
    on
        lines.line_id = tiers.line_id
        and lines.version_start = tiers.version_start
        and {{ holds('tiers', 'valued.quantity') }}
