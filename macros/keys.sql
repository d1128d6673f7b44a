{#- Readable text of several columns, stable between builds; empty for null. -#}
{% macro joined_key(columns) -%}
    {%- for column in columns -%}
        coalesce(cast({{ column }} as varchar), ''){{ " || '|' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
