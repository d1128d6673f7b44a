-- One row per commitment to a quantity and period: the price of a missing unit (M2).
with

periods as (
    select *
    from {{ ref('commitment_periods') }}
    where kind = 'quantity' and true_up = 'shortfall'
),

lines as (
    select * from {{ ref('int_commitment_lines') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

priced as (
    select
        periods.commitment_id,
        periods.period_start,
        coalesce(periods.shortfall_price, tiers.list_price) as list_price,
        case
            when periods.shortfall_price is null then tiers.discount_percent else 0
        end as discount_percent,
        coalesce(periods.shortfall_price, tiers.unit_price) as unit_price
    from periods
    left join lines
        on
            periods.commitment_id = lines.commitment_id
            and periods.period_start = lines.period_start
            and periods.period_end = lines.looked_to
    left join tiers
        on
            lines.line_id = tiers.line_id
            and lines.version_start = tiers.version_start
            and {{ holds('tiers', 'periods.committed') }}
)

select *
from priced
where unit_price is not null
