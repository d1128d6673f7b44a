-- One row per dispute opened by the as-of day; a later resolution is not known yet.
select
    dispute_id,
    invoice_number,
    line_number,
    reason,
    case when resolved_on <= {{ as_of() }} then resolution end as resolution,
    source_file,
    cast(line as bigint) as line,
    amount,
    opened_on,
    case when resolved_on <= {{ as_of() }} then resolved_on end as resolved_on
from {{ source('raw', 'disputes') }}
where opened_on <= {{ as_of() }}
