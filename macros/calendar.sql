{#- The day up to whose end everything is known: an input, never the clock. -#}
{% macro as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{#- The day through which drafts become invoices; null when none are issued. -#}
{% macro issue_through() -%}
    cast(nullif('{{ var("issue_through") }}', '') as date)
{%- endmacro %}

{#- An open end of validity: no date is later. -#}
{% macro end_of_time() -%}
    cast('9999-12-31' as date)
{%- endmacro %}

{#- First day of the month of `day`. -#}
{% macro month_of(day) -%}
    ({{ day }} - cast(extract(day from {{ day }}) - 1 as integer))
{%- endmacro %}

{#- First day of the month that this run closes; null when it closes none. -#}
{% macro close_month() -%}
    cast(nullif('{{ var("close_month") }}', '') as date)
{%- endmacro %}

{#-
The months of a relation `calendar` that any span of days touches: compared with every
span, the calendar should be no longer than it has to.
-#}
{% macro months_of_spans(spans, first_day, day_after) -%}
    select calendar.*
    from calendar
    inner join (
        select min({{ first_day }}) as first_day, max({{ day_after }}) as day_after
        from {{ spans }}
    ) as reach
        on
            calendar.month_end > reach.first_day
            and calendar.month_start < reach.day_after
{%- endmacro %}

{#- Whole numbers from 0 to below `count`, one row each, as column `days`. -#}
{% macro days_ahead(count) -%}
    select * from (values
        {% for number in range(count) -%}
            ({{ number }}){{ ", " if not loop.last }}
        {%- endfor %}
    ) as numbers (days)
{%- endmacro %}

{#- The days of its month on which a meter is in force, a bit of a number for each. -#}
{% macro days_of_month(meter) -%}
    (cast(1 as bigint) << {{ days_between(meter ~ ".service_month", meter ~ ".valid_to") }})
    - (
        cast(1 as bigint)
        << {{ days_between(meter ~ ".service_month", meter ~ ".valid_from") }}
    )
{%- endmacro %}

{#- True when a day is one of such days of its month. -#}
{% macro is_among_days(days, day) -%}
    ({{ days }} >> cast(extract(day from {{ day }}) - 1 as integer)) % 2 = 1
{%- endmacro %}
