-- One row per recurring line and longest run of days in a billing period with the same
-- terms and quantity (R1, R2).
with

versions as (
    select
        *,
        case when quantity_basis = 'covered_facilities' then contract_id end
            as counted_contract_id
    from {{ ref('line_versions') }}
),

periods as (
    select * from {{ ref('billing_periods') }}
),

covered as (
    select * from {{ ref('covered_facility_counts') }}
),

spans as (
    select
        versions.line_id,
        versions.contract_id,
        versions.version_start,
        versions.pricing_model,
        versions.billing_frequency,
        versions.billing_timing,
        versions.quantity_basis,
        versions.cents_step,
        versions.package_size,
        versions.included_quantity,
        coalesce(covered.facilities, versions.quantity, 1) as quantity,
        covered.amendment_id,
        covered.valid_from as covered_from,
        greatest(versions.valid_from, covered.valid_from) as valid_from,
        least(versions.valid_to, covered.valid_to) as valid_to
    from versions
    left join covered
        on
            versions.counted_contract_id = covered.contract_id
            and {{ overlap(
                'versions.valid_from', 'versions.valid_to',
                'covered.valid_from', 'covered.valid_to'
            ) }}
    where
        versions.is_active
        and versions.charge_type = 'recurring'
        and versions.pricing_model <> 'percentage'
        and (versions.quantity_basis = 'fixed' or covered.contract_id is not null)
),

segments as (
    select
        spans.line_id,
        spans.contract_id,
        spans.version_start,
        spans.pricing_model,
        spans.quantity_basis,
        spans.cents_step,
        spans.package_size,
        cast(spans.quantity - spans.included_quantity as decimal(18, 4)) as quantity,
        -- A later period with the same facilities is no longer the amendment's doing.
        case when spans.covered_from >= periods.period_start then spans.amendment_id end
            as amendment_id,
        periods.full_days,
        greatest(spans.valid_from, periods.period_start) as service_from,
        least(spans.valid_to, periods.period_end) as service_to,
        case spans.billing_timing
            when 'advance' then periods.period_start else periods.period_end
        end as charge_date
    from spans
    inner join periods
        on
            spans.contract_id = periods.contract_id
            and spans.billing_frequency = periods.frequency
            and {{ overlap(
                'spans.valid_from', 'spans.valid_to',
                'periods.period_start', 'periods.period_end'
            ) }}
)

select
    *,
    {{ days_between('service_from', 'service_to') }} as days
from segments
where quantity > 0
