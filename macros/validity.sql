{#- True when `terms` were in force on `day`; validity is half-open. -#}
{% macro in_force(terms, day) -%}
    {{ day }} >= {{ terms }}.valid_from and {{ day }} < {{ terms }}.valid_to
{%- endmacro %}

{#- True when the half-open intervals [from, to) of two things share a day. -#}
{% macro overlap(from_one, to_one, from_other, to_other) -%}
    {{ from_one }} < {{ to_other }} and {{ from_other }} < {{ to_one }}
{%- endmacro %}

{#- Rank of rows of one key and effective day: the one signed last comes first (T1). -#}
{% macro signed_last(key) -%}
    row_number() over (
        partition by {{ key }}, effective_on
        order by signed_on desc, amendment_id desc nulls last
    )
{%- endmacro %}
