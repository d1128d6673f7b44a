-- One row per patient whom a feed says is another: the token to count instead (UE-12).
select patient_token, counted_as
from {{ source('restricted', 'merged_patients') }}
