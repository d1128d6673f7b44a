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
it does not hold (`is_to_make`). A table of other columns, or a full refresh, begins
empty. Each run of months, of three at most, is a statement with its first and last
month written into it: these the engine takes to where rows are read, past joins that a
subquery does not pass, so that no other month is read. Of more months at once, groups
of tens of millions of rows would spill, and take half as long again. Of more than three
the last two are a run: late events touch them again, and rows that are deleted together
are to lie together, else the engine writes anew what lies beside them.
-#}
{% materialization by_month, adapter="duckdb", supported_languages=["sql"] %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set old_relation = load_cached_relation(this) -%}
    {%- set months = ref(config.get("meta").months) -%}
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

    {%- set standing = [] -%}
    {%- set runs = [] -%}
    {%- set last = namespace(stands=true) -%}
    {%- set rows = run_query(standing_months(months)).rows -%}
    {%- set to_make = rows | rejectattr(1) | list -%}
    {%- for month, stands in rows -%}
        {%- set day = "date '" ~ month ~ "'" -%}
        {%- set begins_last_two = to_make | length > 3 and month == to_make[-2][0] -%}
        {%- if stands -%}
            {%- do standing.append(day) -%}
        {%- elif last.stands or runs[-1] | length == 3 or begins_last_two -%}
            {%- do runs.append([day]) -%}
        {%- else -%}
            {%- do runs[-1].append(day) -%}
        {%- endif -%}
        {%- set last.stands = stands -%}
    {%- endfor -%}
    {%- call statement("delete") -%}
        delete from {{ target_relation }}
        {% if standing -%} where event_month not in ({{ standing | join(", ") }}) {%- endif %}
    {%- endcall -%}
    {%- call statement("main") -%}
        {{ get_assert_columns_equivalent(sql) }}
        {% for run in runs or [["null"]] -%}
        {%- set is_of_run = "event_month between " ~ run[0] ~ " and " ~ run[-1] -%}
        insert into {{ target_relation }}
        {{ get_column_names() }}
        {{ get_select_subquery(sql | replace(is_to_make(months), is_of_run)) }};
        {% endfor %}
    {%- endcall -%}

    {%- do adapter.commit() -%}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
