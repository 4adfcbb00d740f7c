-- One row per vendor, operation and source: what a result costs. The credits of a batch and day are
-- shared out among the rows that were matched through it; without a match, among all it was asked.
--
-- vendor: Whose credits.
-- operation: identify, contact, enrich, or bulk_contact (Pronto) and its like.
-- source: Where the rows come from, as given.
-- asked: Rows that were asked for and answered; what was reused cost nothing and is not in it.
-- results: Those of them that were matched.
-- credits: Credits for what was delivered, by our price list.
-- credits_per_result: credits divided by results.
-- credits_per_row: credits divided by asked.
WITH answers AS (
    SELECT outcomes.partition_date, submission_id, source, outcome = $matched AS is_result
    FROM outcomes
    LEFT JOIN profile_urls USING (partition_date, row_id)
    WHERE outcome IN ($answered_outcomes) AND outcome <> $reused
),
shares AS (
    SELECT
        vendor, operation, source, is_result, credits_computed,
        submission_id, partition_date,
        CASE
            WHEN bool_or(is_result) OVER same_batch THEN coalesce(is_result, false)::INTEGER
            ELSE 1
        END AS weight
    -- What a row reuses was paid for by another day, with which this join does not find it.
    FROM credit_usage
    LEFT JOIN answers USING (submission_id, partition_date)
    WHERE credits_computed IS NOT NULL
    WINDOW same_batch AS (PARTITION BY submission_id, partition_date)
),
costs AS (
    SELECT
        *,
        credits_computed::DOUBLE * weight
            / sum(weight) OVER (PARTITION BY submission_id, partition_date) AS credits
    FROM shares
)
SELECT
    vendor, operation, source,
    count(is_result) AS asked,
    count(*) FILTER (is_result) AS results,
    round(sum(credits), 4) AS credits,
    sum(credits) / nullif(results, 0) AS credits_per_result,
    sum(credits) / nullif(asked, 0) AS credits_per_row
FROM costs
GROUP BY vendor, operation, source
ORDER BY vendor, operation, source
