-- One row per active run of a usage line's version: what its meter counts.
with

versions as (
    select * from {{ ref('line_versions') }}
),

meters as (
    select * from {{ ref('meters') }}
),

metered as (
    select
        versions.line_id,
        versions.contract_id,
        versions.billing_frequency,
        meters.event_type,
        meters.classes,
        meters.codes,
        meters.aggregation,
        versions.valid_from,
        versions.valid_to
    from versions
    inner join meters on versions.meter = meters.meter
    where versions.charge_type = 'usage' and versions.is_active
)

select * from metered
