-- One row per problem of a landed row that was rejected, with what to do about it.
select
    source_file,
    line,
    column_name,
    value,
    reason,
    contract_id
from {{ ref('stg_rejected_rows') }}
