{#-
The warehouse has one writer and is published as a copy, so a table is replaced in
place within its transaction: a third of the work of building it beside the old
one and renaming both, which is what the adapter does. The transaction is part of the
statement's text, and one statement is a transaction by itself: asked for as statements
of their own, its begin and its commit cost dbt as much as two small models.
-#}
{% materialization table, adapter="duckdb", supported_languages=["sql"] %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- if old_relation is not none and not old_relation.is_table -%}
        {%- do adapter.drop_relation(old_relation) -%}
    {%- endif -%}
    {%- set has_contract = config.get("contract").enforced -%}

    {%- call statement("main", auto_begin=False) -%}
        {% if has_contract -%}
            {{ get_assert_columns_equivalent(sql) }}
        begin transaction;
        create or replace table {{ target_relation }}
            {{ get_table_columns_and_constraints() }};
        insert into {{ target_relation }}
        {{ get_column_names() }}
        {{ get_select_subquery(sql) }};
        commit
        {%- else -%}
        create or replace table {{ target_relation }} as ({{ sql }})
        {%- endif %}
    {%- endcall -%}

    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization view, adapter="duckdb" %}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- if old_relation is not none and not old_relation.is_view -%}
        {%- do adapter.drop_relation(old_relation) -%}
    {%- endif -%}

    {%- if config.get("contract").enforced -%}
        {%- do get_assert_columns_equivalent(sql) -%}
    {%- endif -%}
    {%- call statement("main", auto_begin=False) -%}
        create or replace view {{ target_relation }} as ({{ sql }})
    {%- endcall -%}

    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#-
Rows of usage, of which a run makes only the months whose `inputs` are not those of the
model of months (`meta.months`): they are deleted, and the model selects the months that
it does not hold. A table of other columns, or a full refresh, begins empty.
-#}
{% materialization by_month, adapter="duckdb", supported_languages=["sql"] %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- set has_columns = [] -%}
    {%- if old_relation is not none and not old_relation.is_table -%}
        {%- do adapter.drop_relation(old_relation) -%}
    {%- elif old_relation is not none and not should_full_refresh() -%}
        {%- for column in adapter.get_columns_in_relation(old_relation) -%}
            {%- do has_columns.append(column.name) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if has_columns != model.columns.keys() | list -%}
        {%- call statement("create") -%}
            create or replace table {{ target_relation }}
            {{ get_table_columns_and_constraints() }}
        {%- endcall -%}
    {%- endif -%}

    {%- call statement("delete") -%}
        delete from {{ target_relation }}
        where event_month in (
            select made.event_month
            from (
                select distinct event_month, inputs from {{ target_relation }}
            ) as made
            left join {{ ref(config.get("meta").months) }} as months
                on
                    made.event_month = months.event_month
                    and made.inputs = months.inputs
            where months.event_month is null
        )
    {%- endcall -%}
    {%- call statement("main") -%}
        {{ get_assert_columns_equivalent(sql) }}
        insert into {{ target_relation }}
        {{ get_column_names() }}
        {{ get_select_subquery(sql) }}
    {%- endcall -%}

    {%- do adapter.commit() -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- A digest of the SQL of some models and of macros, without the as-of day in it. -#}
{% macro code_of(models, macros) -%}
    {%- set code = [] -%}
    {%- for node in graph.get("nodes", {}).values() if node.name in models -%}
        {%- do code.append(node.raw_code) -%}
    {%- endfor -%}
    {%- for macro in macros -%}
        {%- do code.append(macro | replace(as_of(), "")) -%}
    {%- endfor -%}
    '{{ local_md5(code | join) }}'
{%- endmacro %}
