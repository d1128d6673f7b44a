{#-
The identity by which what is due and what is booked are compared (A2); `subject` is the
line, commitment or milestone, `base` the charge that a percentage is of.
-#}
{% macro charge_key(charge, subject, base="''") -%}
    {{ joined_key([
        charge ~ ".contract_id", subject, charge ~ ".line_type",
        charge ~ ".service_from", charge ~ ".service_to", charge ~ ".version_start",
        charge ~ ".tier", charge ~ ".unit_price", base
    ]) }}
{%- endmacro %}

{#- What a charge is, wherever it stands. -#}
{% macro charge_details(charge) -%}
    {%- for column in [
        "charge_key", "contract_id", "line_id", "milestone_id", "commitment_id",
        "product_id", "amendment_id", "line_type", "meter", "tier", "list_price",
        "discount_percent", "unit_price", "proration", "version_start",
    ] -%}
        {{ charge }}.{{ column }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Readable text of several columns, stable between builds; empty for null. -#}
{% macro joined_key(columns) -%}
    {%- for column in columns -%}
        coalesce(cast({{ column }} as varchar), ''){{ " || '|' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#-
Rows of several models that share the values of their key with another row; `keys`
maps a model to the columns of its grain. One test for a folder costs a run less than
one for each model.
-#}
{% macro copies_by_key(keys) -%}
    {%- for model, columns in keys.items() %}
        select
            '{{ model }}' as model,
            count(*) as copies
        from {{ ref(model) }}
        group by {{ columns | join(", ") }}
        having count(*) > 1
        {{ "union all" if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
