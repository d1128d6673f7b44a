-- Contract balances are those of the accounts of the journal: of each closed month
-- deferred and unbilled, of an open one deferred less unbilled (V4, V5). Entries of
-- issued invoices that are still to be booked count as booked.
with

moved as (
    select
        lines.contract_id,
        lines.accounting_month as month,
        lines.credit - lines.debit as net,
        case
            when accounts.role = 'deferred_revenue' then lines.credit - lines.debit
            else 0
        end as deferred
    from (
        select contract_id, account, debit, credit, accounting_month
        from {{ ref('journal_entries') }}
        union all
        select
            unposted.contract_id,
            unposted.account,
            unposted.debit,
            unposted.credit,
            unposted.accounting_month
        from {{ ref('unposted_entries') }} as unposted
        inner join {{ ref('stg_issued_invoices') }} as invoices
            on unposted.invoice_number = invoices.invoice_number
    ) as lines
    inner join {{ ref('ledger_accounts') }} as accounts
        on lines.account = accounts.account
    where accounts.role in ('deferred_revenue', 'unbilled_receivable')
),

by_month as (
    select contract_id, month, sum(net) as net, sum(deferred) as deferred
    from moved
    group by contract_id, month
),

closed as (
    select max(month) as month from {{ ref('stg_closings') }}
),

compared as (
    select
        coalesce(balances.contract_id, by_month.contract_id) as contract_id,
        coalesce(balances.month, by_month.month) as month,
        balances.deferred_closing,
        balances.unbilled_closing,
        sum(coalesce(by_month.net, 0)) over contract_months as net,
        sum(coalesce(by_month.deferred, 0)) over contract_months as deferred
    from {{ ref('contract_balances') }} as balances
    full outer join by_month
        on
            balances.contract_id = by_month.contract_id
            and balances.month = by_month.month
    window contract_months as (
        partition by coalesce(balances.contract_id, by_month.contract_id)
        order by coalesce(balances.month, by_month.month)
        rows unbounded preceding
    )
)

select compared.*
from compared
cross join closed
where
    compared.deferred_closing is null
    or compared.deferred_closing - compared.unbilled_closing <> compared.net
    or (
        compared.month <= closed.month
        and compared.deferred_closing <> compared.deferred
    )
