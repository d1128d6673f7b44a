-- One row per adjustment that an amendment caused: of several the one signed last.
with

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

adjustments as (
    select
        due.*,
        coalesce(due.line_id, due.commitment_id, due.milestone_id) as subject,
        issued.issued_at
    from {{ ref('unbooked_charges') }} as due
    left join issued on due.charge_key = issued.charge_key
    where due.is_adjustment
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
        reversals.*,
        due.charge_key as due_key,
        due.amendment_id as due_amendment_id,
        due.service_end as due_service_end
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
    select charge_key, due_amendment_id as amendment_id
    from replaced
    union
    -- The end is a later one: the charge that was cut by it goes on.
    select replaced.charge_key, amendments.amendment_id
    from replaced
    inner join amendments on replaced.contract_id = amendments.contract_id
    where
        replaced.service_end < replaced.due_service_end
        and replaced.service_end < amendments.new_ends_on
        and replaced.issued_at < amendments.signed_on
    union
    select reversals.charge_key, endings.amendment_id
    from adjustments as reversals
    inner join endings
        on
            reversals.contract_id = endings.contract_id
            and coalesce(endings.line_id, reversals.subject) = reversals.subject
            and endings.ends_before <= reversals.service_end
    inner join amendments
        on
            endings.amendment_id = amendments.amendment_id
            and reversals.issued_at < amendments.signed_on
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
