-- One row per shared line of a draft and facility (A7).
with

lines as (
    select * from {{ ref('draft_lines') }}
),

shares as (
    select * from {{ ref('int_unbooked_facilities') }}
),

facilities as (
    select * from {{ ref('stg_facilities') }}
),

drafted as (
    select
        lines.draft_id,
        lines.line_number,
        shares.facility_id,
        facilities.facility_name,
        shares.quantity,
        shares.amount
    from lines
    inner join shares on lines.charge_key = shares.charge_key
    left join facilities on shares.facility_id = facilities.facility_id
)

select * from drafted
