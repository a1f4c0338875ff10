-- name: report_combos
-- Sets of dimension values of the window, by hash, with how many pairs have them and how many a replay.
SELECT hash(segments), any_value(segments), count(*), count(replay)
FROM pairs WHERE received_at >= $since AND received_at < $until GROUP BY hash(segments);

-- name: report_scores
-- Scores of a stretch of whole hours per (segment, signal): value and reference, how many, exact sums. Values stand to
-- two decimals where a test reads them; of the others only 0 and 1 stay apart (millions of groups otherwise).
-- One observation per key and hour, as the live evidence counts; agreement only where the baseline's own
-- answer was fit. Combo hashes and segment names come as two lists of equal length.
WITH places AS (SELECT unnest($combos) AS combo, unnest($segments) AS segment),
keyed AS (
    SELECT seq, hash(segments) AS combo,
           len(list_filter(flags, lambda f: starts_with(f, 'baseline_'))) = 0 AS fit,
           hash(floor(received_at / 3600), prompt_key) AS prompt,
           hash(floor(received_at / 3600), coalesce(session_key || ':' || coalesce(segments['turn'], ''), prompt_key)) AS turn
    FROM pairs WHERE received_at >= $since AND received_at < $until
),
-- Repeats are few: only keys that occur twice are remembered, not a rank of every pair.
prompts AS (SELECT prompt, min(seq) AS first FROM keyed GROUP BY prompt HAVING count(*) > 1),
turns AS (SELECT turn, min(seq) AS first FROM keyed GROUP BY turn HAVING count(*) > 1),
week AS (
    SELECT k.seq, k.combo, k.fit, coalesce(k.seq = p.first, true) AS first_prompt, coalesce(k.seq = t.first, true) AS first_turn
    FROM keyed k LEFT JOIN prompts p USING (prompt) LEFT JOIN turns t USING (turn)
),
cells AS (
    SELECT w.combo, s.signal, CASE WHEN list_contains($tested, s.signal) THEN round(s.x, 2) WHEN s.x IN (0, 1) THEN s.x ELSE 0.5 END AS x,
           CASE WHEN list_contains($tested, s.signal) THEN round(s.x0, 2) WHEN s.x0 IN (0, 1) THEN s.x0 WHEN s.x0 IS NOT NULL THEN 0.5 END AS x0, count(*) AS n, sum(s.x) AS total,
           sum(s.x * s.x) AS squares, sum(s.x0) AS total0, sum(s.x0 * s.x0) AS squares0
    FROM scores s JOIN week w USING (seq)
    WHERE CASE WHEN list_contains($agreement, s.signal) THEN w.fit AND w.first_turn ELSE w.first_prompt END
    GROUP BY ALL
)
SELECT p.segment, c.signal, c.x, c.x0, sum(c.n)::BIGINT, sum(c.total), sum(c.squares), sum(c.total0), sum(c.squares0)
FROM cells c JOIN places p USING (combo) GROUP BY ALL;

-- name: report_reasons
-- Labels of bad scores of the window in the given segments, most frequent first.
WITH places AS (SELECT unnest($combos) AS combo, unnest($segments) AS segment)
SELECT l.segment, s.signal, s.label, count(*) AS pairs
FROM scores s JOIN pairs p USING (seq) JOIN places l ON l.combo = hash(p.segments)
WHERE p.received_at >= $since AND p.received_at < $until AND s.x >= 0.5 AND s.label <> ''
GROUP BY ALL ORDER BY pairs DESC, l.segment, s.signal, s.label LIMIT 60;

-- name: report_latency
-- Seconds of candidate and replay on the same pairs' clock, warm-up and cached left out, each row with the number of
-- its combination of dimension values; the quantiles are report/ladders.py's.
WITH places AS (SELECT unnest($combos) AS combo, unnest($numbers)::INTEGER AS combination)
SELECT combination, candidate.duration AS candidate, replay.duration AS replay,
       candidate.ttft AS candidate_first, replay.ttft AS replay_first
FROM pairs JOIN places ON combo = hash(segments)
WHERE received_at >= $since AND received_at < $until AND candidate.error IS NULL
  AND NOT list_contains(flags, 'warmup') AND NOT list_contains(flags, 'cached');

-- name: report_outcomes
-- Confidence in a checkable answer and whether it turned out right: newest 50,000, two sources of truth.
SELECT l.segment, c.candidate, a.x < 0.5, 'agreement'
FROM scores c JOIN scores a ON a.seq = c.seq AND a.signal = 'answer' JOIN pairs p ON p.seq = c.seq
JOIN (SELECT unnest($combos) AS combo, unnest($segments) AS segment) l ON l.combo = hash(p.segments)
WHERE c.signal = 'confident_disagreement' AND c.candidate IS NOT NULL
  AND p.received_at >= $since AND p.received_at < $until
ORDER BY p.seq DESC LIMIT 50000;

-- name: report_labelled
-- The same against delayed labels.
SELECT s.segment, c.candidate, b.candidate_correct, 'label'
FROM scores c JOIN pairs p ON p.seq = c.seq JOIN labels b ON b.id = p.id
JOIN (SELECT unnest($combos) AS combo, unnest($segments) AS segment) s ON s.combo = hash(p.segments)
WHERE c.signal = 'confident_disagreement' AND c.candidate IS NOT NULL AND b.candidate_correct IS NOT NULL
  AND p.received_at >= $since AND p.received_at < $until
ORDER BY p.seq DESC LIMIT 50000;

-- name: report_worst
-- The worst scores of one (segment, signal) in the window, newest first among equals.
SELECT p.id, p.received_at, s.signal, s.x, s.label, s.explanation, p.texts
FROM scores s JOIN pairs p USING (seq) JOIN (SELECT unnest($combos) AS combo) l ON l.combo = hash(p.segments)
WHERE p.received_at >= $since AND p.received_at < $until AND s.signal = $signal AND s.x >= 0.5
ORDER BY s.x DESC, p.seq DESC LIMIT $limit;

-- name: report_cost
-- What shadowing cost: tokens and answers per arm.
SELECT count(*), count(replay), sum(candidate.input_tokens), sum(candidate.output_tokens),
       sum(replay.input_tokens), sum(replay.output_tokens), count(candidate.error),
       sum(CASE WHEN len(list_filter(flags, lambda f: starts_with(f, 'baseline_'))) > 0 THEN 1 ELSE 0 END),
       avg(inclusion), min(received_at), max(received_at)
FROM pairs WHERE received_at >= $since AND received_at < $until;

-- name: report_mix
-- Sampled requests of a window with what is known of them, for input drift.
SELECT segments, baseline.input_tokens AS input_tokens FROM (
    SELECT * FROM pairs WHERE received_at >= $since AND received_at < $until
) USING SAMPLE reservoir (50000 ROWS) REPEATABLE (7);

-- name: report_events
-- Alarms and clears of the window, oldest first.
SELECT time, event, segment, signal FROM events WHERE time >= $since AND time < $until ORDER BY time LIMIT 500;

-- name: report_candidates
-- Which candidates served, newest first.
SELECT since, identity FROM candidates WHERE since < $until ORDER BY since DESC LIMIT 20;

-- name: report_probes
-- Latest result of every probe up to the window's end, findings first.
SELECT time, pack, probe, verdict, baseline, candidate, change FROM probes WHERE time < $until
QUALIFY row_number() OVER (PARTITION BY pack, probe ORDER BY time DESC) = 1
ORDER BY verdict IN ('ok', 'unclear'), pack, probe LIMIT 200;
