-- Per line and facility: units counted that are not free are in tiers, all of them
-- (U6).
with

units as (
    select line_id, facility_id, sum(charged_units) as quantity
    from {{ ref('int_usage_units') }}
    group by line_id, facility_id
),

tiers as (
    select line_id, facility_id, sum(quantity) as quantity
    from {{ ref('int_usage_tiers') }}
    group by line_id, facility_id
)

select
    units.line_id,
    units.facility_id,
    units.quantity,
    tiers.quantity as quantity_in_tiers
from units
left join tiers
    on units.line_id = tiers.line_id and units.facility_id = tiers.facility_id
where units.quantity <> coalesce(tiers.quantity, 0)
