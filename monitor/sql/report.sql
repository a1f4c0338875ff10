-- name: report_combos
-- Combinations of dimension values of the window, by hash, with how many pairs have them and how many a replay.
-- Grouped by the hash alone and looked up once each: maps in a hash table cost four times as much.
WITH found AS (
    SELECT hash(segments) AS combo, min(seq) AS seq, count(*) AS pairs, count(replay) AS replays
    FROM pairs WHERE received_at >= $since AND received_at < $until GROUP BY hash(segments)
)
SELECT combo, segments, found.pairs, replays FROM found JOIN pairs p USING (seq) ORDER BY seq;

-- name: report_pairs
-- Pairs of a stretch of whole hours: the number of their combination, whether the baseline's own answer was fit, and
-- what tells observations apart: one per key and hour, as the live evidence counts (report/counting.py).
WITH places AS (SELECT unnest($combos::UBIGINT[]) AS combo, unnest($numbers::INTEGER[]) AS combination)
SELECT seq, combination, len(list_filter(flags, lambda f: starts_with(f, 'baseline_'))) = 0 AS fit,
       hash(floor(received_at / 3600), prompt_key) AS prompt,
       hash(floor(received_at / 3600), coalesce(session_key || ':' || coalesce(segments['turn'], ''), prompt_key)) AS turn
FROM pairs JOIN places ON combo = hash(segments) WHERE received_at >= $since AND received_at < $until;

-- name: report_signals
SELECT DISTINCT signal FROM scores;

-- name: report_scores
-- One signal's scores of a stretch of the log.
SELECT seq, x, x0 FROM scores WHERE signal = $signal AND seq BETWEEN $first AND $last;

-- name: report_reasons
-- Labels of bad scores of the window in the given segments, most frequent first.
WITH places AS (SELECT unnest($combos::UBIGINT[]) AS combo, unnest($segments) AS segment)
SELECT l.segment, s.signal, s.label, count(*) AS pairs
FROM scores s JOIN pairs p USING (seq) JOIN places l ON l.combo = hash(p.segments)
WHERE p.received_at >= $since AND p.received_at < $until AND s.x >= 0.5 AND s.label <> ''
GROUP BY ALL ORDER BY pairs DESC, l.segment, s.signal, s.label LIMIT 60;

-- name: report_latency
-- Seconds of candidate and replay on the same pairs' clock, warm-up and cached left out, each row with the number of
-- its combination of dimension values; the quantiles are report/ladders.py's.
WITH places AS (SELECT unnest($combos::UBIGINT[]) AS combo, unnest($numbers::INTEGER[]) AS combination)
SELECT combination, candidate.duration AS candidate, replay.duration AS replay,
       candidate.ttft AS candidate_first, replay.ttft AS replay_first
FROM pairs JOIN places ON combo = hash(segments)
WHERE received_at >= $since AND received_at < $until AND candidate.error IS NULL
  AND NOT list_contains(flags, 'warmup') AND NOT list_contains(flags, 'cached');

-- name: report_outcomes
-- Confidence in a checkable answer and whether it turned out right: newest 50,000, two sources of truth.
SELECT l.segment, c.candidate, a.x < 0.5, 'agreement'
FROM scores c JOIN scores a ON a.seq = c.seq AND a.signal = 'answer' JOIN pairs p ON p.seq = c.seq
JOIN (SELECT unnest($combos::UBIGINT[]) AS combo, unnest($segments) AS segment) l ON l.combo = hash(p.segments)
WHERE c.signal = 'confident_disagreement' AND c.candidate IS NOT NULL
  AND p.received_at >= $since AND p.received_at < $until
ORDER BY p.seq DESC LIMIT 50000;

-- name: report_labelled
-- The same against delayed labels.
SELECT s.segment, c.candidate, b.candidate_correct, 'label'
FROM scores c JOIN pairs p ON p.seq = c.seq JOIN labels b ON b.id = p.id
JOIN (SELECT unnest($combos::UBIGINT[]) AS combo, unnest($segments) AS segment) s ON s.combo = hash(p.segments)
WHERE c.signal = 'confident_disagreement' AND c.candidate IS NOT NULL AND b.candidate_correct IS NOT NULL
  AND p.received_at >= $since AND p.received_at < $until
ORDER BY p.seq DESC LIMIT 50000;

-- name: report_worst
-- The worst scores of one (segment, signal) among the `among` worst of the signal, newest first among equals.
-- These are chosen before pairs are looked at: joining every bad score of ten million pairs takes seconds each time.
WITH bad AS (
    SELECT seq, signal, x, label, explanation FROM scores
    WHERE signal = $signal AND x >= 0.5 AND seq BETWEEN $first AND $last ORDER BY x DESC, seq DESC LIMIT $among
)
SELECT p.id, p.received_at, b.signal, b.x, b.label, b.explanation, p.texts
FROM bad b JOIN pairs p USING (seq) JOIN (SELECT unnest($combos::UBIGINT[]) AS combo) l ON l.combo = hash(p.segments)
WHERE p.received_at >= $since AND p.received_at < $until
ORDER BY b.x DESC, b.seq DESC LIMIT $limit;

-- name: report_cost
-- What shadowing cost: tokens and answers per arm.
SELECT count(*), count(replay), sum(candidate.input_tokens), sum(candidate.output_tokens),
       sum(replay.input_tokens), sum(replay.output_tokens), count(candidate.error),
       sum(CASE WHEN len(list_filter(flags, lambda f: starts_with(f, 'baseline_'))) > 0 THEN 1 ELSE 0 END),
       avg(inclusion), min(received_at), max(received_at)
FROM pairs WHERE received_at >= $since AND received_at < $until;

-- name: report_mix
-- Sampled requests of a window with what is known of them, for input drift. Numbers are drawn first: drawing rows
-- carries every column along.
SELECT hash(segments) AS combo, baseline.input_tokens AS input_tokens FROM pairs WHERE seq IN (
    SELECT seq FROM (SELECT seq FROM pairs WHERE received_at >= $since AND received_at < $until)
    USING SAMPLE reservoir (50000 ROWS) REPEATABLE (7));

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
