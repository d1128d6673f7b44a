{#- True when `meter` counts `usage` of this type, class and code (empty lists: all). -#}
{% macro counts(meter, usage) -%}
    {{ meter }}.event_type = {{ usage }}.event_type
    and {{ listed(usage ~ '.class', meter ~ '.classes') }}
    and {{ listed(usage ~ '.code', meter ~ '.codes') }}
{%- endmacro %}

{#- True when `value` is in a list separated by `|`; an empty list holds everything. -#}
{% macro listed(value, list) -%}
    (
        {{ list }} is null
        or position('|' || {{ value }} || '|' in '|' || {{ list }} || '|') > 0
    )
{%- endmacro %}

{#- True when text has the shape of a CCN (6 characters) or an NPI (10 digits). -#}
{% macro looks_like_facility_number(text) -%}
    {{ matches(text, '^([0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]|[12][0-9]{9})$') }}
{%- endmacro %}

{#- True when an outcome is a reason for rejecting an event. -#}
{% macro is_rejection(outcome) -%}
    {{ outcome }} not in (
        'replaced', 'void', 'not_yet_usage', 'unmetered', 'billable'
    )
{%- endmacro %}
