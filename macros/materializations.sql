{#-
The warehouse has one writer and is published as a copy, so a table is replaced in
place within its transaction: a third of the work of building it beside the old
one and renaming both, which is what the adapter does.
-#}
{% materialization table, adapter="duckdb", supported_languages=["sql"] %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- if old_relation is not none and not old_relation.is_table -%}
        {%- do adapter.drop_relation(old_relation) -%}
    {%- endif -%}
    {%- set has_contract = config.get("contract").enforced -%}

    {%- call statement("main") -%}
        create or replace table {{ target_relation }}
        {% if has_contract -%}
            {{ get_assert_columns_equivalent(sql) }}
            {{ get_table_columns_and_constraints() }};
        insert into {{ target_relation }}
        {{ get_column_names() }}
        {{ get_select_subquery(sql) }}
        {%- else -%}
            as ({{ sql }})
        {%- endif %}
    {%- endcall -%}

    {%- do adapter.commit() -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization view, adapter="duckdb" %}
    {%- set target_relation = this.incorporate(type="view") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- if old_relation is not none and not old_relation.is_view -%}
        {%- do adapter.drop_relation(old_relation) -%}
    {%- endif -%}

    {%- call statement("main") -%}
        create or replace view {{ target_relation }} as ({{ sql }})
    {%- endcall -%}

    {%- do adapter.commit() -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
