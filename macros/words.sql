{#- What a line of an invoice says, in words. -#}

{#- 1,250 or 1,250.5: thousands apart, no zeros at the end; for numbers from 0 on. -#}
{% macro number_in_words(number) -%}
    {{ with_thousands("trunc(" ~ number ~ ")") }} || rtrim(rtrim(
        substring(
            cast({{ number }} - trunc({{ number }}) as varchar), 2
        ), '0'
    ), '.')
{%- endmacro %}

{#- `, tier 2 (1,001–5,000)`; the bounds of a row of `price_tiers`. -#}
{% macro tier_in_words(tiers) -%}
    ', tier ' || cast({{ tiers }}.tier as varchar) || ' ('
    || case
        when {{ tiers }}.above = trunc({{ tiers }}.above)
            then {{ with_thousands(tiers ~ ".above + 1") }}
        else 'above ' || {{ number_in_words(tiers ~ ".above") }}
    end
    || case
        when {{ tiers }}.up_to = {{ unbounded_quantity() }} then ' and more)'
        else '–' || {{ number_in_words(tiers ~ ".up_to") }} || ')'
    end
{%- endmacro %}

{#-
What an amount has besides quantity × unit price: `, packages of 5`, or `, with its fee of
10` where the flat fee of the tier is in it.
-#}
{% macro besides_in_words(charge, versions, tiers) -%}
    case
        when {{ versions }}.pricing_model = 'package'
            then ', packages of ' || {{ number_in_words(versions ~ ".package_size") }}
        when
            {{ versions }}.pricing_model in ('graduated', 'volume')
            and {{ tiers }}.flat_fee > 0
            and (
                {{ charge }}.proration is not null
                or {{ charge }}.amount <> {{ rounded_amount(
                    extended(charge ~ ".quantity", charge ~ ".unit_price"),
                    "1", versions ~ ".cents_step"
                ) }}
            )
            then ', with its fee of ' || {{ number_in_words(tiers ~ ".flat_fee") }}
        else ''
    end
{%- endmacro %}

{#-
`March 2026`, `April 2026 – June 2026`, `5 March 2026` or `5 March 2026 – 4 April 2026`;
half-open.
-#}
{% macro period_in_words(from_day, to_day) -%}
    case
        when {{ to_day }} = {{ plus_days(from_day, 1) }}
            then {{ day_in_words(from_day) }}
        when
            {{ from_day }} = {{ month_of(from_day) }}
            and {{ to_day }} = {{ plus_months(from_day, 1) }}
            then {{ month_in_words(from_day) }}
        when {{ from_day }} = {{ month_of(from_day) }} and {{ to_day }} = {{ month_of(to_day) }}
            then
                {{ month_in_words(from_day) }} || ' – '
                || {{ month_in_words(plus_days(to_day, -1)) }}
        else
            {{ day_in_words(from_day) }} || ' – '
            || {{ day_in_words(plus_days(to_day, -1)) }}
    end
{%- endmacro %}

{#- More than one of a thing: encounters, studies. -#}
{% macro plural(noun) -%}
    case
        when {{ matches(noun, "[^aeiou]y$") }}
            then substring({{ noun }}, 1, length({{ noun }}) - 1) || 'ies'
        when {{ matches(noun, "(s|x|ch|sh)$") }} then {{ noun }} || 'es'
        else {{ noun }} || 's'
    end
{%- endmacro %}

{#- 1,250 or 1,250.50: an amount from 0 on. -#}
{% macro amount_in_words(amount) -%}
    {{ with_thousands("trunc(" ~ amount ~ ")") }} || case
        when {{ amount }} = trunc({{ amount }}) then ''
        else substring(
            cast(
                cast({{ amount }} - trunc({{ amount }}) as decimal(18, 2)) as varchar
            ), 2
        )
    end
{%- endmacro %}

{#- What is due at the end of a commitment's period, of a row of `commitment_charges`. -#}
{% macro true_up_in_words() -%}
    case
        when kind = 'spend'
            then
                'Minimum spend: ' || {{ amount_in_words("missing") }} || ' short of '
                || {{ amount_in_words("committed") }}
        when true_up = 'rerate'
            then
                'True-up: ' || {{ number_in_words("quantity") }} || ' '
                || {{ plural("unit_label") }} || ' reach tier '
                || cast(reached_tier as varchar)
        else
            'True-up: ' || {{ number_in_words("missing") }} || ' '
            || {{ plural("unit_label") }} || ' short of '
            || {{ number_in_words("committed") }}
    end
    || ', ' || {{ period_in_words("period_start", "period_end") }}
{%- endmacro %}
