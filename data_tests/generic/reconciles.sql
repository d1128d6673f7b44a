{#- Per `key`, the sum of `total` here is the sum of `part` in `parts`, to the last digit. -#}
{% test reconciles(model, key, total, parts, part, where="true", parts_where="true") %}
with

differences as (
    select {{ key }}, {{ total }} as amount
    from {{ model }}
    where {{ where }}
    union all
    select {{ key }}, -{{ part }} as amount
    from {{ parts }}
    where {{ parts_where }}
)

select
    {{ key }},
    sum(amount) as difference
from differences
group by {{ key }}
having sum(amount) <> 0
{% endtest %}
