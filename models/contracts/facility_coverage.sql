-- One row per contract, facility and longest run of days on which it is covered (T1,
-- T2).
with

signed as (
    select
        *,
        {{ signed_last('contract_id, facility_id') }} as recency
    from {{ ref('stg_contract_facilities') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

compared as (
    select
        contract_id,
        facility_id,
        amendment_id,
        is_covered,
        effective_on,
        lag(is_covered, 1, false) over (
            partition by contract_id, facility_id order by effective_on
        ) as was_covered
    from signed
    where recency = 1
),

changes as (
    select
        contract_id,
        facility_id,
        amendment_id,
        is_covered,
        effective_on,
        lead(effective_on, 1, {{ end_of_time() }}) over (
            partition by contract_id, facility_id order by effective_on
        ) as next_change,
        lead(amendment_id) over (
            partition by contract_id, facility_id order by effective_on
        ) as next_amendment_id
    from compared
    where is_covered <> was_covered
),

covered as (
    select
        changes.contract_id,
        changes.facility_id,
        changes.amendment_id,
        changes.next_amendment_id as ending_amendment_id,
        greatest(changes.effective_on, contracts.valid_from) as valid_from,
        least(changes.next_change, contracts.valid_to) as valid_to
    from changes
    inner join contracts on changes.contract_id = contracts.contract_id
    where changes.is_covered
)

select *
from covered
where valid_from < valid_to
