-- One row per commitment period that has ended and owes a true-up or its minimum spend,
-- or gets some back (M2–M5).
with

ended as (
    select *
    from {{ ref('int_commitment_months') }}
    where counted_to = period_end
),

lines as (
    select * from {{ ref('int_commitment_lines') }}
),

prices as (
    select * from {{ ref('int_shortfall_prices') }}
),

rerated as (
    select * from {{ ref('int_rerated_usage') }}
),

usage as (
    select
        ended.commitment_id,
        ended.period_start,
        sum(usage_charges.amount) as charged
    from ended
    inner join {{ ref('usage_charges') }} as usage_charges
        on
            ended.line_id = usage_charges.line_id
            and usage_charges.service_from >= ended.period_start
            and usage_charges.service_from < ended.period_end
    where ended.true_up = 'rerate'
    group by ended.commitment_id, ended.period_start
),

owed as (
    select
        ended.*,
        lines.product_id,
        -- A line never active has no meter to name its units.
        coalesce(lines.unit_label, 'unit') as unit_label,
        prices.list_price,
        prices.discount_percent,
        prices.unit_price,
        rerated.tier as reached_tier,
        case ended.kind when 'spend' then 'minimum_spend' else 'true_up' end
            as line_type,
        ended.committed - ended.actual as missing,
        case
            when ended.kind = 'spend' then 1
            when ended.true_up = 'rerate' then rerated.quantity
            else ended.committed - ended.actual
        end as quantity,
        case
            when ended.kind = 'spend' then ended.committed - ended.actual
            when ended.true_up = 'rerate'
                then
                    {{ rounded_amount('rerated.full_value', '1', 'ended.cents_step') }}
                    - usage.charged
            else {{ rounded_amount(
                extended('(ended.committed - ended.actual)', 'prices.unit_price'),
                '1', 'ended.cents_step'
            ) }}
        end as amount
    from ended
    left join lines
        on
            ended.commitment_id = lines.commitment_id
            and ended.period_start = lines.period_start
            and ended.period_end = lines.looked_to
    left join prices
        on
            ended.commitment_id = prices.commitment_id
            and ended.period_start = prices.period_start
    left join rerated
        on
            ended.commitment_id = rerated.commitment_id
            and ended.period_start = rerated.period_start
    left join usage
        on
            ended.commitment_id = usage.commitment_id
            and ended.period_start = usage.period_start
)

select
    commitment_id,
    contract_id,
    line_id,
    amendment_id,
    product_id,
    line_type,
    {{ true_up_in_words() }} as description,
    cast(quantity as decimal(18, 4)) as quantity,
    list_price,
    discount_percent,
    unit_price,
    cast(amount as decimal(18, 2)) as amount,
    version_start,
    period_start as service_from,
    period_end as service_to,
    period_end as charge_date
from owed
where
    (true_up = 'rerate' and amount <> 0)
    or (true_up = 'shortfall' and missing > 0 and amount is not null)
