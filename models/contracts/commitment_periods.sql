-- One row per commitment and period: what is committed, prorated over its versions, and
-- the terms of the last of them (M1).
with

versions as (
    select * from {{ ref('commitment_versions') }}
),

periods as (
    select * from {{ ref('billing_periods') }}
),

slices as (
    select
        versions.*,
        periods.period_start as full_start,
        periods.full_days,
        greatest(versions.valid_from, periods.period_start) as slice_start,
        least(versions.valid_to, periods.period_end) as slice_end
    from versions
    inner join periods
        on
            versions.contract_id = periods.contract_id
            and versions.frequency = periods.frequency
            and {{ overlap(
                'versions.valid_from', 'versions.valid_to',
                'periods.period_start', 'periods.period_end'
            ) }}
),

spanned as (
    select
        *,
        min(slice_start) over period as period_start,
        max(slice_end) over period as period_end,
        cast(
            sum(committed * {{ days_between('slice_start', 'slice_end') }}) over period
            as decimal(28, 4)
        ) as committed_days,
        row_number() over (
            partition by commitment_id, full_start order by slice_start desc
        ) as recency
    from slices
    window period as (partition by commitment_id, full_start)
),

committed as (
    select
        commitment_id,
        contract_id,
        line_id,
        amendment_id,
        kind,
        true_up,
        counts,
        cents_step,
        shortfall_price,
        cast(
            case
                when is_prorated
                    then {{ as_committed(
                        whole_quantity('committed_days'), 'full_days'
                    ) }}
                else committed
            end as decimal(18, 4)
        ) as committed,
        version_start,
        period_start,
        period_end
    from spanned
    where recency = 1
)

select * from committed
