{#- INV-{year}-{six digits} (A4). -#}
{% macro invoice_number(year, number) -%}
    'INV-' || cast({{ year }} as varchar) || '-' || lpad(
        cast({{ number }} as varchar),
        cast(greatest(6, length(cast({{ number }} as varchar))) as integer),
        '0'
    )
{%- endmacro %}
