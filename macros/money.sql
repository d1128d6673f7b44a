{#-
Money never meets `/`. Prices (8 places) and quantities (4 places) become whole
numbers, a ratio of whole numbers is rounded once, half away from zero (A1).
-#}

{#- A count as a whole number wide enough to be multiplied. -#}
{% macro whole(count) -%}
    cast({{ count }} as {{ whole_type() }})
{%- endmacro %}

{#- A price or fee as a whole number of hundred-millionths. -#}
{% macro whole_price(price) -%}
    cast({{ price }} * 100000000 as {{ whole_type() }})
{%- endmacro %}

{#-
A quantity, or an amount, as a whole number of ten-thousandths. Of less than 10⁹ the
product fits 64 bits, which is fifty times as fast.
-#}
{% macro whole_quantity(quantity) -%}
    (case
        when abs({{ quantity }}) < 1000000000
            then cast({{ quantity }} * 10000 as {{ whole_type() }})
        else cast(cast({{ quantity }} as decimal(38, 4)) * 10000 as {{ whole_type() }})
    end)
{%- endmacro %}

{#- Quantity × price, exact, as a whole number of 10⁻¹² currency units. -#}
{% macro extended(quantity, price) -%}
    ({{ whole_quantity(quantity) }} * {{ whole_price(price) }})
{%- endmacro %}

{#- A ratio of whole numbers, rounded half away from zero to a whole number. -#}
{% macro rounded_ratio(numerator, denominator) -%}
    (
        sign({{ numerator }}) * {{ whole_quotient(
            "2 * abs(" ~ numerator ~ ") + (" ~ denominator ~ ")",
            "2 * (" ~ denominator ~ ")"
        ) }}
    )
{%- endmacro %}

{#-
Currency units from a ratio whose numerator is in 10⁻¹² units (`extended`), rounded
to the currency's minor unit: `cents_step` is 1, or 100 where it has no cents.
-#}
{% macro rounded_amount(numerator, denominator, cents_step) -%}
    cast(
        cast(
            {{ rounded_ratio(
                numerator, "10000000000 * " ~ denominator ~ " * " ~ cents_step
            ) }} * {{ cents_step }} as decimal(18, 0)
        ) * 0.01 as decimal(18, 2)
    )
{%- endmacro %}

{#- A ratio of whole numbers as a price, to 8 places. -#}
{% macro rounded_price(numerator, denominator) -%}
    cast(
        cast({{ rounded_ratio(numerator, denominator) }} as decimal(19, 0))
        * 0.00000001 as decimal(19, 8)
    )
{%- endmacro %}

{#- A price less two discounts in percent, rounded once to 8 places (U6). -#}
{% macro net_price(price, discount, other_discount) -%}
    {{ rounded_price(
        whole_price(price)
        ~ " * (1000000 - " ~ whole_quantity(discount) ~ ")"
        ~ " * (1000000 - " ~ whole_quantity(other_discount) ~ ")",
        "1000000000000"
    ) }}
{%- endmacro %}

{#- Two discounts that come off one after the other, as one percentage. -#}
{% macro joint_discount(discount, other_discount) -%}
    cast(
        100 - (100 - {{ discount }}) * (100 - {{ other_discount }}) * 0.01
        as decimal(19, 8)
    )
{%- endmacro %}

{#- An amount as a whole number of the currency's minor unit. -#}
{% macro minor_units(amount, cents_step) -%}
    cast({{ whole_quotient(
        "cast(" ~ amount ~ " * 100 as " ~ whole_type() ~ ")", cents_step
    ) }} as {{ whole_type() }})
{%- endmacro %}

{#- The bound of a tier without a bound: above any quantity. -#}
{% macro unbounded_quantity() -%}
    cast(99999999999999 as decimal(18, 4))
{%- endmacro %}

{#- Packages begun by a quantity, as a whole number. -#}
{% macro packages(quantity, package_size) -%}
    cast({{ whole_quotient(
        whole_quantity(quantity) ~ " + " ~ whole_quantity(package_size) ~ " - 1",
        whole_quantity(package_size)
    ) }} as decimal(18, 0))
{%- endmacro %}

{#- A ratio of whole numbers, rounded to whole units of a quantity. -#}
{% macro rounded_units(numerator, denominator) -%}
    cast({{ rounded_ratio(numerator, denominator) }} as decimal(18, 4))
{%- endmacro %}

{#- True when a tier of `price_tiers` holds a quantity; the first holds none as well. -#}
{% macro holds(tiers, quantity) -%}
    {{ tiers }}.above < greatest({{ quantity }}, 0.0001)
    and {{ tiers }}.up_to >= greatest({{ quantity }}, 0.0001)
{%- endmacro %}

{#-
Ten-thousandths divided by days, rounded as what a commitment commits: a quantity to
whole units, money to the currency's minor unit (M1, M6).
-#}
{% macro as_committed(dividend, days) -%}
    case kind
        when 'spend'
            then {{ rounded_amount(dividend ~ " * 100000000", days, "cents_step") }}
        else {{ rounded_units(dividend, "10000 * " ~ days) }}
    end
{%- endmacro %}

{#- One decimal as a percentage of another, to 2 places. -#}
{% macro rounded_percent(part, whole_part) -%}
    cast(
        cast({{ rounded_ratio(
            "10000 * " ~ whole_quantity(part), whole_quantity(whole_part)
        ) }} as decimal(18, 0)) * 0.01 as decimal(18, 2)
    )
{%- endmacro %}

{#- So much of an amount as `numerator` is of `denominator`, to the minor unit. -#}
{% macro share_of_amount(amount, numerator, denominator, cents_step) -%}
    cast(
        cast(
            {{ rounded_ratio(
                minor_units(amount, cents_step) ~ " * (" ~ numerator ~ ")", denominator
            ) }} * {{ cents_step }} as decimal(18, 0)
        ) * 0.01 as decimal(18, 2)
    )
{%- endmacro %}
