-- One row per feed and identifier: the facility that a clinical feed means by it.
select
    feed,
    identifier,
    facility_id
from {{ source('raw', 'facility_identifiers') }}
