-- One row per person: the newest profile bought, by the time its file landed.
--
-- bought_at: When the file that holds the profile was safe on our side (UTC).
-- company_name: Employer in the main current role, if there is one.
WITH bought AS (
    SELECT submission_id, max(landed_at) AS bought_at
    FROM batches
    GROUP BY submission_id
),
main_roles AS (
    SELECT profile_key, submission_id, company_name
    FROM employment
    WHERE is_current
    -- The default role need not be the first, and need not be marked at all.
    QUALIFY row_number() OVER (
        PARTITION BY profile_key, submission_id
        ORDER BY is_default IS TRUE DESC, start_date DESC NULLS LAST, position
    ) = 1
)
SELECT people.*, bought.bought_at, main_roles.company_name
FROM people
LEFT JOIN bought USING (submission_id)
LEFT JOIN main_roles USING (profile_key, submission_id)
QUALIFY row_number() OVER (
    PARTITION BY people.profile_key
    ORDER BY bought.bought_at DESC NULLS LAST, people.partition_date DESC, people.source_line DESC
) = 1
