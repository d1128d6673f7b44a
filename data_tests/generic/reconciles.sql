{#- Per `key`, the sum of `total` here is that of `part` in `parts`, to the digit. -#}
{% test reconciles(model, key, total, parts, part) %}
with

differences as (
    select
        {{ key }},
        {{ total }} as amount
    from {{ model }}
    union all
    select
        {{ key }},
        -{{ part }} as amount
    from {{ parts }}
)

select
    {{ key }},
    sum(amount) as difference
from differences
group by {{ key }}
having sum(amount) <> 0
{% endtest %}
