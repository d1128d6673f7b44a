-- One row per feed, facility and gap: covered days without usage that its own history
-- makes implausible, and what they would have brought (G1, G2).
with

gap_units as (
    select * from {{ ref('int_gap_units') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

charges as (
    select * from {{ ref('usage_charges') }}
),

-- What a line's units brought in its latest period with usage. Where a price does not
-- hang on the units, a gap costs nothing.
rated as (
    select
        charges.line_id,
        sum(charges.quantity) as quantity,
        sum(charges.amount) as amount,
        row_number() over (
            partition by charges.line_id order by charges.charge_date desc
        ) as recency
    from charges
    inner join versions
        on
            charges.line_id = versions.line_id
            and charges.version_start = versions.version_start
    where versions.pricing_model not in ('flat', 'stairstep') and charges.quantity > 0
    group by charges.line_id, charges.charge_date
),

valued as (
    select
        gap_units.*,
        contracts.customer_id,
        contracts.currency,
        case
            when rated.line_id is null then cast(0 as decimal(18, 2))
            else {{ share_of_amount(
                'rated.amount',
                whole_quantity('gap_units.units')
                ~ ' * gap_units.events * gap_units.silent_days',
                whole_quantity('rated.quantity')
                ~ ' * gap_units.facility_events * gap_units.history_days',
                'contracts.cents_step'
            ) }}
        end as amount
    from gap_units
    inner join contracts on gap_units.contract_id = contracts.contract_id
    left join rated on gap_units.line_id = rated.line_id and rated.recency = 1
),

gaps as (
    select
        feed,
        facility_id as facility,
        customer_id,
        contract_id,
        cast(
            cast(
                {{ rounded_ratio('10000 * ' ~ whole('events'), 'history_days') }}
                as decimal(18, 0)
            ) * 0.0001 as decimal(18, 4)
        ) as expected,
        cast(silent_days as integer) as days_silent,
        cast(
            {{ rounded_ratio(whole('events') ~ ' * silent_days', 'history_days') }}
            as decimal(18, 4)
        ) as estimated_quantity,
        cast(sum(amount) as decimal(18, 2)) as estimated_amount,
        currency,
        silent_from as silent_since,
        {{ plus_days('silent_to', -1) }} as silent_through
    from valued
    group by
        feed,
        facility_id,
        customer_id,
        contract_id,
        events,
        history_days,
        silent_days,
        currency,
        silent_from,
        silent_to
)

select * from gaps
