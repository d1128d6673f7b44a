-- One row per contract, facility, meter and month of service: units charged and what
-- they come to (V7).
select
    contract_id,
    facility_id,
    meter,
    service_month as month,
    cast(sum(quantity) as decimal(18, 4)) as quantity,
    cast(sum(amount) as decimal(18, 2)) as amount
from {{ ref('int_usage_months') }}
group by contract_id, facility_id, meter, service_month
