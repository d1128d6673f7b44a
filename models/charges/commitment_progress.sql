-- One row per commitment, period and month: how far it is, where it is heading and what
-- that would cost (M6).
with

months as (
    select * from {{ ref('int_commitment_months') }}
),

lines as (
    select * from {{ ref('int_commitment_lines') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

versions as (
    select * from {{ ref('commitment_versions') }}
),

prices as (
    select * from {{ ref('int_shortfall_prices') }}
),

charges as (
    select * from {{ ref('commitment_charges') }}
),

priced as (
    select
        months.*,
        case
            when
                months.kind = 'quantity'
                and lines.pricing_model in ('graduated', 'volume')
                then tiers.tier
        end as tier,
        case
            when months.true_up = 'rerate' then months.projected
            else greatest(months.committed - months.projected, 0)
        end as projected_quantity,
        case
            when months.kind = 'spend' then 1
            when months.true_up = 'rerate'
                then projected_tiers.unit_price - committed_tiers.unit_price
            else prices.unit_price
        end as projected_price,
        case
            when months.counted_to = months.period_end then coalesce(charges.amount, 0)
        end as true_up_amount
    from months
    left join lines
        on
            months.commitment_id = lines.commitment_id
            and months.period_start = lines.period_start
            and months.counted_to = lines.looked_to
    left join versions
        on
            months.commitment_id = versions.commitment_id
            and {{ in_force('versions', plus_days('months.counted_to', -1)) }}
    left join tiers
        on
            lines.line_id = tiers.line_id
            and lines.version_start = tiers.version_start
            and {{ holds('tiers', 'months.actual') }}
    left join tiers as projected_tiers
        on
            lines.line_id = projected_tiers.line_id
            and lines.version_start = projected_tiers.version_start
            and {{ holds('projected_tiers', 'months.projected') }}
    left join tiers as committed_tiers
        on
            lines.line_id = committed_tiers.line_id
            and lines.version_start = committed_tiers.version_start
            and {{ holds('committed_tiers', 'versions.committed') }}
    left join prices
        on
            months.commitment_id = prices.commitment_id
            and months.period_start = prices.period_start
    left join charges
        on
            months.commitment_id = charges.commitment_id
            and months.period_start = charges.service_from
)

select
    commitment_id,
    contract_id,
    line_id,
    period_start,
    {{ plus_days('period_end', -1) }} as period_end,
    month,
    committed,
    actual as actual_to_date,
    cast(expected as decimal(18, 4)) as expected_to_date,
    case
        when committed > 0
            then {{ rounded_percent('actual', 'committed') }}
    end as percent,
    cast(projected as decimal(18, 4)) as projected,
    tier,
    {{ rounded_amount(
        extended('projected_quantity', 'coalesce(projected_price, 0)'),
        '1', 'cents_step'
    ) }} as projected_true_up,
    cast(true_up_amount as decimal(18, 2)) as true_up,
    case
        when actual >= committed then 'met'
        when projected >= committed then 'on_track'
        else 'at_risk'
    end as status
from priced
