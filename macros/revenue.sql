{#-
The end of the days on which a milestone is earned that is earned from `earned_from`:
the next day, or the contract's end as signed, or as known now where that is earlier or
the signed one is past (V2).
-#}
{% macro earned_to() -%}
    case
        when recognition = 'ratable_to_contract_end' and earned_from < signed_to
            then
                greatest(
                    {{ plus_days("earned_from", 1) }}, least(signed_to, valid_to)
                )
        when recognition = 'ratable_to_contract_end'
            then greatest({{ plus_days("earned_from", 1) }}, valid_to)
        else {{ plus_days("earned_from", 1) }}
    end
{%- endmacro %}

{#-
The part of an amount that is earned once `part` of a `total` has passed, rounded to the
currency's minor unit. Months are differences of it, so that they add up (V1).
-#}
{% macro earned_part(amount, part, total, cents_step) -%}
    cast(
        cast(
            {{ rounded_ratio(
                "(" ~ minor_units(amount, cents_step) ~ " * " ~ whole(part) ~ ")",
                whole(total)
            ) }} * {{ cents_step }} as decimal(18, 0)
        ) * 0.01 as decimal(18, 2)
    )
{%- endmacro %}

{#- What a charge is, on its way to revenue. -#}
{% macro revenue_details(charge) -%}
    {%- for column in [
        "contract_id", "line_id", "milestone_id", "commitment_id", "product_id",
        "amendment_id", "line_type",
    ] -%}
        {{ charge }}.{{ column }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- By what recognised revenue is gathered into entries. -#}
{% macro recognition_columns() -%}
    customer_id, contract_id, product_id, currency, revenue_month, accounting_month
{%- endmacro %}

{#- What a journal entry is of, wherever it stands; `memo` is SQL of its words. -#}
{% macro entry_details(entry="", memo="memo") -%}
    {%- for column in [
        "source_key", "kind", "customer_id", "contract_id", "invoice_number", memo,
        "currency", "entry_date",
    ] -%}
        {{ entry ~ "." if entry }}{{ column }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- An entry as it is due, whether an issue or a close books it. -#}
{% macro due_entry() -%}
    {{ entry_details() }}, applies_to, product_id, revenue_month, accounting_month,
    amount, is_booked_by_close
{%- endmacro %}

{#- What the memo of an entry of recognition or of unbilled revenue says. -#}
{% macro revenue_entry_in_words() -%}
    case kind
        when 'unbilled'
            then 'Unbilled at the end of ' || {{ month_in_words("accounting_month") }}
        when 'unbilled_reversal'
            then
                'Reversal of unbilled at the end of '
                || {{ month_in_words("accounting_month") }}
        else
            'Revenue of ' || {{ month_in_words("revenue_month") }}
            || case
                when revenue_month < accounting_month
                    then ', catch-up in ' || {{ month_in_words("accounting_month") }}
                else ''
            end
    end
{%- endmacro %}

{#- What the memo of the entry of a payment or credit says. -#}
{% macro receipt_in_words() -%}
    case
        when kind = 'credit'
            then 'Credit ' || receipt_id || coalesce(', ' || reason, '')
        when amount < 0 then 'Returned payment ' || receipt_id
        else 'Payment ' || receipt_id
    end
{%- endmacro %}

{#- What the memo of the entry of an application says. -#}
{% macro application_in_words() -%}
    case kind when 'credit' then 'Credit ' else 'Payment ' end
    || receipt_id || ' applied to ' || invoice_number
{%- endmacro %}
