-- One row per person with an address that may be written to: the best by status, then vendor, then
-- position. Invalid addresses, and people who asked to be left out, are not in it.
--
-- profile_key: Key of who was asked for.
-- crustdata_person_id: Crustdata's id of the person.
-- email: The best address.
-- email_type: business or personal.
-- status: deliverable, catch_all or unknown, as of the newest purchase.
-- vendor: Who delivered the address.
-- position: Its place in the vendor's list, from 1.
-- addresses: How many usable addresses the person has.
-- partition_date: The day of the upstream table that the address belongs to.
-- submission_id: Our id of the batch that bought it.
WITH bought AS (
    SELECT submission_id, max(landed_at) AS bought_at
    FROM batches
    GROUP BY submission_id
),
left_out AS (
    SELECT DISTINCT profile_key
    FROM outcomes
    WHERE outcome IN ($redacted, $suppressed) AND profile_key IS NOT NULL
),
-- What was bought last says how an address stands today: deliverable may have become invalid.
newest AS (
    SELECT contact_emails.*
    FROM contact_emails
    LEFT JOIN bought USING (submission_id)
    QUALIFY row_number() OVER (
        PARTITION BY profile_key, vendor, email
        ORDER BY bought.bought_at DESC NULLS LAST, partition_date DESC, email_type, position
    ) = 1
),
usable AS (
    SELECT *, count(*) OVER (PARTITION BY profile_key) AS addresses
    FROM newest
    ANTI JOIN left_out USING (profile_key)
    WHERE status IS DISTINCT FROM 'invalid'
)
SELECT
    profile_key, crustdata_person_id, email, email_type, coalesce(status, 'unknown') AS status,
    vendor, position, addresses, partition_date, submission_id
FROM usable
QUALIFY row_number() OVER (
    PARTITION BY profile_key
    ORDER BY
        CASE status WHEN 'deliverable' THEN 1 WHEN 'catch_all' THEN 2 ELSE 3 END,
        CASE vendor WHEN 'crustdata' THEN 1 WHEN 'pronto' THEN 2 ELSE 3 END,
        position, email_type, email
) = 1
