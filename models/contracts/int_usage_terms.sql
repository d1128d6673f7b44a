-- One row per usage line, billing period, version and tier scope: the days of an
-- invoice line (U4, U5, U7).
with

versions as (
    select * from {{ ref('line_versions') }}
),

periods as (
    select * from {{ ref('billing_periods') }}
),

slices as (
    select
        versions.line_id,
        versions.contract_id,
        versions.version_start,
        versions.pricing_model in ('package', 'stairstep', 'flat') as is_priced_at_end,
        periods.period_start,
        periods.period_end,
        scopes.period_start as scope_start,
        greatest(versions.valid_from, periods.period_start, scopes.period_start)
            as service_from,
        least(versions.valid_to, periods.period_end, scopes.period_end) as service_to
    from versions
    inner join periods
        on
            versions.contract_id = periods.contract_id
            and versions.billing_frequency = periods.frequency
            and {{ overlap(
                'versions.valid_from', 'versions.valid_to',
                'periods.period_start', 'periods.period_end'
            ) }}
    inner join periods as scopes
        on
            versions.contract_id = scopes.contract_id
            and versions.scope_frequency = scopes.frequency
            and {{ overlap(
                'versions.valid_from', 'versions.valid_to',
                'scopes.period_start', 'scopes.period_end'
            ) }}
            and {{ overlap(
                'periods.period_start', 'periods.period_end',
                'scopes.period_start', 'scopes.period_end'
            ) }}
    where versions.is_active and versions.charge_type = 'usage'
),

spanned as (
    select
        *,
        min(service_from) over period as first_active_day,
        max(service_to) over period as active_to,
        row_number() over (
            partition by line_id, period_start order by service_from desc
        ) as recency
    from slices
    where service_from < service_to
    window period as (partition by line_id, period_start)
),

terms as (
    select
        line_id,
        contract_id,
        version_start,
        period_start,
        period_end,
        scope_start,
        case when is_priced_at_end then first_active_day else service_from end
            as service_from,
        case when is_priced_at_end then active_to else service_to end as service_to
    from spanned
    where not is_priced_at_end or recency = 1
)

select * from terms
