{#- True of `event_month` if this model, made `by_month`, is to make it. -#}
{% macro is_to_make(months) -%}
    event_month in (
        select event_month from {{ months }}
        where event_month not in (select event_month from {{ this }})
    )
{%- endmacro %}

{#- The months of a model of months, in order, and whether they stand as they are. -#}
{% macro standing_months(months) -%}
    select
        months.event_month,
        made.event_month is not null as stands
    from (select distinct event_month, inputs from {{ months }}) as months
    left join (
        -- Of a month, which is made at once, any.
        select event_month, any_value(inputs) as inputs from {{ this }}
        group by event_month
    ) as made
        on months.event_month = made.event_month and months.inputs = made.inputs
    order by months.event_month
{%- endmacro %}

{#-
A digest of the SQL of some models and of macros, without the as-of day in it. By name:
a parse of what was edited has the models in another order than one of them all.
-#}
{% macro code_of(models, macros) -%}
    {%- set code = [] -%}
    {%- for node in graph.get("nodes", {}).values() | sort(attribute="name")
        if node.name in models -%}
        {%- do code.append(node.raw_code) -%}
    {%- endfor -%}
    {%- for macro in macros -%}
        {%- do code.append(macro | replace(as_of(), "")) -%}
    {%- endfor -%}
    '{{ local_md5(code | join) }}'
{%- endmacro %}
