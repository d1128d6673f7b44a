-- One row per facility.
select
    facility_id,
    customer_id,
    facility_name,
    facility_type,
    state,
    npi,
    ccn
from {{ source('raw', 'facilities') }}
