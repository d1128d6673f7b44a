-- One row per adjustment of a line that an amendment caused: of several the one signed
-- last.
with

adjustments as (
    select
        *,
        coalesce(line_id, commitment_id, milestone_id) as subject
    from {{ ref('unbooked_charges') }}
    where is_adjustment
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

issued as (
    select
        lines.charge_key,
        max(invoices.issued_at) as issued_at
    from {{ ref('stg_issued_lines') }} as lines
    inner join {{ ref('stg_issued_invoices') }} as invoices
        on lines.invoice_number = invoices.invoice_number
    group by lines.charge_key
),

-- Amendments after which there is nothing to charge, so that no new charge names them.
endings as (
    select
        contract_id,
        cast(null as varchar) as line_id,
        amendment_id,
        {{ plus_days('new_ends_on', 1) }} as ends_before
    from amendments
    where new_ends_on is not null
    union all
    select contract_id, line_id, amendment_id, effective_on as ends_before
    from {{ ref('stg_contract_lines') }}
    where not is_active
    union all
    select contract_id, null as line_id, amendment_id, effective_on as ends_before
    from {{ ref('stg_contract_facilities') }}
    where not is_covered
),

replaced as (
    select
        reversals.charge_key,
        due.charge_key as due_key,
        due.amendment_id
    from adjustments as reversals
    inner join adjustments as due
        on
            reversals.contract_id = due.contract_id
            and reversals.line_type = due.line_type
            and reversals.subject = due.subject
            and reversals.service_start <= due.service_end
            and due.service_start <= reversals.service_end
    where reversals.is_reversal and not due.is_reversal
),

candidates as (
    select charge_key, amendment_id
    from replaced
    union
    select reversals.charge_key, endings.amendment_id
    from adjustments as reversals
    inner join issued on reversals.charge_key = issued.charge_key
    inner join endings
        on
            reversals.contract_id = endings.contract_id
            and coalesce(endings.line_id, reversals.subject) = reversals.subject
            and endings.ends_before <= reversals.service_end
    inner join amendments
        on
            endings.amendment_id = amendments.amendment_id
            and issued.issued_at < amendments.signed_on
    where reversals.is_reversal
),

-- A new charge has the cause of the reversal that it stands for.
caused as (
    select charge_key, amendment_id
    from candidates
    union
    select replaced.due_key as charge_key, candidates.amendment_id
    from replaced
    inner join candidates on replaced.charge_key = candidates.charge_key
),

ranked as (
    select
        caused.charge_key,
        caused.amendment_id,
        row_number() over (
            partition by caused.charge_key
            order by amendments.signed_on desc, caused.amendment_id desc
        ) as recency
    from caused
    inner join amendments on caused.amendment_id = amendments.amendment_id
)

select charge_key, amendment_id
from ranked
where recency = 1
