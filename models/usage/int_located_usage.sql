-- One row per row of daily usage: its facility, customer and, on that day, its contract
-- (U1).
with

usage as (
    select * from {{ ref('daily_usage') }}
),

files as (
    select * from {{ ref('stg_usage_files') }}
),

identifiers as (
    select * from {{ ref('stg_facility_identifiers') }}
),

facilities as (
    select * from {{ ref('stg_facilities') }}
),

agreements as (
    select * from {{ ref('stg_agreements') }}
),

facility_contracts as (
    select * from {{ ref('facility_contracts') }}
),

located as (
    select
        usage.*,
        facilities.facility_id,
        facilities.customer_id,
        facility_contracts.contract_id,
        case
            when usage.obstacle <> '' then usage.obstacle
            when facilities.facility_id is null then 'unknown_facility'
            when
                files.has_phi
                and (
                    agreements.agreed_through is null
                    or agreements.agreed_through <= usage.received_after
                )
                then 'no_baa'
        end as found
    from usage
    inner join files
        on usage.feed = files.feed and usage.file_id = files.file_id
    left join identifiers
        on usage.feed = identifiers.feed and usage.facility = identifiers.identifier
    left join facilities
        on coalesce(identifiers.facility_id, usage.facility) = facilities.facility_id
    left join agreements on facilities.customer_id = agreements.customer_id
    left join facility_contracts
        on
            facilities.facility_id = facility_contracts.facility_id
            and {{ in_force('facility_contracts', 'usage.service_date') }}
)

select * from located
