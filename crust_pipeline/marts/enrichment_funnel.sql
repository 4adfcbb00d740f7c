-- One row per partition, operation and source: how many input rows came how far. Each stage is a
-- part of the one before it.
--
-- partition_date: The day of the upstream table.
-- operation: identify, contact, enrich, or bulk_contact (Pronto) and its like.
-- source: Where the rows come from, as given.
-- input_rows: All rows of the day.
-- identifiable: Rows with a usable profile URL or e-mail address.
-- distinct_people: Without the same person again, and without those who are suppressed.
-- allowed: Without those for whom the budget or the account's rights did not suffice.
-- answered: Rows that have their final answer; the others wait or are in trouble.
-- found: Rows for which something was delivered, now or by an earlier purchase.
-- reused: Those of them that an earlier purchase answered, at no cost.
-- fill_rate: found divided by answered.
WITH labelled AS (
    SELECT outcomes.partition_date, operation, source, outcome
    FROM outcomes
    LEFT JOIN profile_urls USING (partition_date, row_id)
),
counted AS (
    SELECT
        partition_date, operation, source,
        count(*) AS input_rows,
        count(*) FILTER (outcome IN ($invalid_outcomes)) AS invalid,
        count(*) FILTER (outcome IN ($not_needed_outcomes)) AS not_needed,
        count(*) FILTER (outcome IN ($not_allowed_outcomes)) AS not_allowed,
        $rows_answered AS answered,
        $rows_found AS found,
        count(*) FILTER (outcome = $reused) AS reused
    FROM labelled
    GROUP BY ALL
)
SELECT
    partition_date, operation, source, input_rows,
    input_rows - invalid AS identifiable,
    identifiable - not_needed AS distinct_people,
    distinct_people - not_allowed AS allowed,
    answered, found, reused,
    found / nullif(answered, 0) AS fill_rate
FROM counted
ORDER BY ALL
