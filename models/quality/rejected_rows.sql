-- One row per problem of a landed row that was rejected, with what to do about it.
with

landed as (
    select
        source_file,
        line,
        column_name,
        value,
        reason,
        contract_id
    from {{ ref('stg_rejected_rows') }}
),

-- What only the issued invoices tell: of disputes and promises (N4).
disputes as (
    select
        source_file,
        line,
        problem_column as column_name,
        case problem_column
            when 'line_number' then cast(line_number as varchar)
            else invoice_number
        end as value,
        problem as reason,
        cast(null as varchar) as contract_id
    from {{ ref('disputes') }}
    where state = 'refused'
),

promises as (
    select
        pauses.source_file,
        pauses.line,
        'invoice_number' as column_name,
        pauses.invoice_number as value,
        'is no issued invoice (N4): nothing is promised for it; mend the number'
            as reason,
        cast(null as varchar) as contract_id
    from {{ ref('stg_pauses') }} as pauses
    left join {{ ref('stg_issued_invoices') }} as invoices
        on pauses.invoice_number = invoices.invoice_number
    where pauses.kind = 'promise' and invoices.invoice_number is null
)

select * from landed
union all
select * from disputes
union all
select * from promises
