-- One row per day on which something was submitted (UTC), vendor and operation: what it cost.
-- Credits of different vendors are different currencies; do not add them.
--
-- spent_on: The day of the submit, not of the people asked for.
-- vendor: Whose credits.
-- operation: identify, contact, enrich, or bulk_contact (Pronto) and its like.
-- batches: Batches submitted.
-- identifiers: Identifiers in them.
-- delivered: Identifiers for which something came back.
-- credits_computed: Credits for what was delivered, by our price list.
-- credits_reported: Credits the vendor says it took, for those batches of which it says so.
-- credits_open: Reserved credits, the worst case, of batches whose file has not landed.
-- credits_lost: Reserved credits of batches whose link died before their file landed.
WITH sent AS (
    SELECT DISTINCT submission_id, CAST(submitted_at AT TIME ZONE 'UTC' AS DATE) AS spent_on, state
    FROM batches
    WHERE submitted_at IS NOT NULL AND state NOT IN ('failed', 'rejected')
)
SELECT
    spent_on, vendor, operation,
    count(DISTINCT submission_id) AS batches,
    sum(identifiers)::BIGINT AS identifiers,
    coalesce(sum(delivered), 0)::BIGINT AS delivered,
    coalesce(sum(credits_computed), 0) AS credits_computed,
    sum(credits_reported) AS credits_reported,
    coalesce(sum(credits_reserved) FILTER (state NOT IN ('landed', 'loaded', 'expired')), 0)
        AS credits_open,
    coalesce(sum(credits_reserved) FILTER (state = 'expired'), 0) AS credits_lost
FROM credit_usage
JOIN sent USING (submission_id)
GROUP BY spent_on, vendor, operation
ORDER BY spent_on, vendor, operation
