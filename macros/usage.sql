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

{#-
Units of the scope charged when a term's count stands at `counted` (U6); `counts` is its
row of `int_usage_counts`.
-#}
{% macro reached(counts, counted) -%}
    {{ counts }}.reached_before
    + greatest(
        {{ counted }}
        - greatest({{ counts }}.counted_before, {{ counts }}.included_quantity),
        0
    )
{%- endmacro %}

{#- True of what a feed reported that may tell of its silence (G1). -#}
{% macro is_lately_reported() -%}
    outcome = 'billable'
    and service_date >= {{ plus_days(as_of(), -400) }}
    and service_date < {{ as_of() }}
{%- endmacro %}

{#- By what a day of units, due or booked, is told from another. -#}
{% macro hash_of_day() -%}
    {{ whole_hash('facility_id', 'service_date', 'units') }}
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

{#- What mends a rejected event, in words, by the reason it was rejected for. -#}
{% macro remedy_for(reason) -%}
    case {{ reason }}
        when 'invalid_date'
            then 'send the event again with its date of service, as YYYY-MM-DD'
        when 'invalid_quantity'
            then
                'send the event again with a quantity above 0 of at most 4 decimals, '
                || 'or cancelled'
        when 'missing_facility'
            then 'send the event again with the facility where it took place'
        when 'future_date'
            then
                'nothing, if it does take place then; else send the event again with '
                || 'its date of service, or cancelled'
        when 'unknown_facility'
            then
                'add what the feed calls the facility to '
                || 'contracts/facility_identifiers.csv, or the facility to '
                || 'contracts/facilities.csv'
        when 'no_baa'
            then
                'sign a business associate agreement with the customer and add it to '
                || 'contracts/baas.csv; leave the usage file where it is'
        when 'no_contract'
            then
                'land the contract, or the renewal in contracts/amendments.csv, that '
                || 'runs on the date of service; none: the event is not charged'
        when 'facility_not_covered'
            then
                'cover the facility on the date of service by an amendment, in '
                || 'contracts/contract_facilities.csv; none: the event is not charged'
    end
{%- endmacro %}

{#-
The rank of a row among those of its event, which are of one month: the one received
last is the first.
-#}
{% macro recency(rows, files) -%}
    row_number() over (
        partition by {{ rows }}.event_month, {{ rows }}.feed, {{ rows }}.event_id
        order by
            {{ rows }}.received_at desc nulls last,
            case {{ rows }}.status when 'cancelled' then 0 else 1 end,
            {{ by_bytes(files ~ '.source_file') }} desc,
            {{ rows }}.line desc
    )
{%- endmacro %}

{#- What a usage row says, by name, so that unions of it can't be mixed up. -#}
{% macro columns_of_usage(rows, without=[]) -%}
    {%- for column in [
        "feed", "event_id", "file_id", "line", "event_type", "facility",
        "encounter_id", "patient_token", "class", "code", "status", "quantity",
        "service_date", "received_on", "event_month",
    ] if column not in without -%}
        {{ rows }}.{{ column }}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- What keeps an event from being billed, whoever it is of: the first of these. -#}
{% macro obstacle(event) -%}
    case
        when {{ event }}.status = 'cancelled' then 'void'
        when {{ event }}.status = 'not_yet_usage' then 'not_yet_usage'
        when {{ event }}.service_date is null then 'invalid_date'
        when {{ event }}.quantity is null then 'invalid_quantity'
        when {{ event }}.facility is null then 'missing_facility'
        when {{ event }}.service_date > {{ as_of() }} then 'future_date'
        else ''
    end
{%- endmacro %}

{#- The name a usage file is published under: its own may tell of a patient. -#}
{% macro published_file() -%}
case
    when has_phi then feed || '/' || substring(file_id, 1, 12)
    else source_file
end
{%- endmacro %}
