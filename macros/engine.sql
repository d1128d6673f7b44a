{#- What differs between engines is spelled here, once, and nowhere else. -#}

{#- Type of whole numbers wide enough for price × quantity × days. -#}
{% macro whole_type() -%} hugeint {%- endmacro %}

{#-
Whole part of a quotient of whole numbers, both above or equal to zero. Numbers of 64 bits
are divided as such, which takes a tenth of the time.
-#}
{% macro whole_quotient(numerator, denominator) -%}
    coalesce(
        try_cast({{ numerator }} as bigint) // try_cast({{ denominator }} as bigint),
        ({{ numerator }}) // ({{ denominator }})
    )
{%- endmacro %}

{#- What such a quotient leaves over. -#}
{% macro whole_remainder(numerator, denominator) -%}
    coalesce(
        try_cast({{ numerator }} as bigint) % try_cast({{ denominator }} as bigint),
        ({{ numerator }}) % ({{ denominator }})
    )
{%- endmacro %}

{#- Days from one date to another, as a whole number. -#}
{% macro days_between(from_day, to_day) -%}
    cast({{ to_day }} - {{ from_day }} as integer)
{%- endmacro %}

{#- The date a number of days later. -#}
{% macro plus_days(day, days) -%}
    ({{ day }} + cast({{ days }} as integer))
{%- endmacro %}

{#- Text in an order that is the same on every engine: by bytes. -#}
{% macro by_bytes(text) -%} {{ text }} {%- endmacro %}

{#- The months from one date to another, one row each, as column `month_start`. -#}
{% macro months(from_day, to_day) -%}
    select cast(series.month_start as date) as month_start
    from
        generate_series(
            cast('{{ from_day }}' as timestamp),
            cast('{{ to_day }}' as timestamp),
            interval 1 month
        ) as series (month_start)
{%- endmacro %}

{#- True when `text` matches a regular expression. -#}
{% macro matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{#- The same day some months later, or the last one of a shorter month. -#}
{% macro plus_months(day, months) -%}
    cast({{ day }} + to_months({{ months }}) as date)
{%- endmacro %}

{#- A date as `5 March 2026`. -#}
{% macro day_in_words(day) -%}
    strftime({{ day }}, '%-d %B %Y')
{%- endmacro %}

{#- A month as `March 2026`. -#}
{% macro month_in_words(day) -%}
    strftime({{ day }}, '%B %Y')
{%- endmacro %}

{#- A whole number from 0 on with its thousands apart: 1,250. -#}
{% macro with_thousands(number) -%}
    format('{:,}', cast({{ number }} as bigint))
{%- endmacro %}

{#- True on Saturdays and Sundays. -#}
{% macro is_weekend(day) -%}
    extract(isodow from {{ day }}) > 5
{%- endmacro %}

{#- A digest of text, as text; to tell texts apart, not to hide them. -#}
{% macro digest(text) -%} md5({{ text }}) {%- endmacro %}

{#- A whole number of 64 bits by which rows are told apart, to be added up. -#}
{% macro whole_hash() -%}
    cast(hash({{ varargs | join(", ") }}) as {{ whole_type() }})
{%- endmacro %}

{#- All values of a column as one text, in order. -#}
{% macro all_in_one_text(value) -%}
    string_agg({{ value }}, ',' order by {{ value }})
{%- endmacro %}

{#- A row for each value of a list separated by `|`; stands alone in a select. -#}
{% macro each_listed(list) -%}
    unnest(string_split({{ list }}, '|'))
{%- endmacro %}
