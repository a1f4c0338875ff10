-- name: latency
-- Exact quantiles per segment and arm since :since. Never approx_quantile: its p99 is off by up to
-- 118 % in segments of 100 to 1,000 rows, which is where this product looks.
WITH legs AS (
    SELECT unnest(map_entries(segments)) AS entry, 'baseline' AS role, baseline AS leg FROM pairs WHERE received_at >= $since AND NOT list_contains(flags, 'warmup')
    UNION ALL
    SELECT unnest(map_entries(segments)), 'candidate', candidate FROM pairs WHERE received_at >= $since AND NOT list_contains(flags, 'warmup') AND NOT list_contains(flags, 'cached')
    UNION ALL
    SELECT unnest(map_entries(segments)), 'replay', replay FROM pairs WHERE received_at >= $since AND replay IS NOT NULL AND NOT list_contains(flags, 'warmup')
)
SELECT entry.key AS dimension, entry.value AS value, role,
       quantile_cont(leg.duration, [0.5, 0.99]) AS duration,
       quantile_cont(leg.ttft, [0.5, 0.99]) AS ttft,
       avg(leg.confidence) AS confidence,
       count(*) AS n
FROM legs WHERE leg.error IS NULL AND leg.duration IS NOT NULL
GROUP BY ALL;

-- name: members
-- Pairs of the diverged signals with their segments, for `explained_by` and examples.
SELECT p.seq, p.id, p.segments, s.signal, s.x, s.x0
FROM scores s JOIN pairs p USING (seq)
WHERE p.seq >= $first AND list_contains($signals, s.signal)
ORDER BY p.seq DESC LIMIT $limit;

-- name: legs
SELECT seq, segments, legs FROM pairs
WHERE seq >= $first AND NOT list_contains(flags, 'warmup') AND NOT list_contains(flags, 'cached')
ORDER BY seq DESC LIMIT $limit;

-- name: worst_pairs
SELECT p.seq, p.id, p.received_at, p.segments, s.signal, s.x, s.x0, s.label, s.explanation, s.baseline, s.candidate,
       p.texts, p.baseline.duration, p.candidate.duration
FROM scores s JOIN pairs p USING (seq)
WHERE p.seq >= $first AND ($signal IS NULL OR s.signal = $signal)
  AND len(list_filter(map_entries(p.segments), lambda e: list_contains($parts, e.key || '=' || e.value))) = len($parts)
ORDER BY s.x DESC, p.seq DESC LIMIT $limit;

-- name: replay_log
-- Everything that the evidence engine needs to go on from a snapshot, in log order.
SELECT p.seq, p.block, p.received_at, p.segments, p.prompt_key, p.session_key, p.flags, p.legs, p.id, p.replay IS NOT NULL,
       list(s.signal ORDER BY s.signal), list(s.x ORDER BY s.signal), list(s.x0 ORDER BY s.signal),
       list(s.baseline ORDER BY s.signal), list(s.candidate ORDER BY s.signal)
FROM pairs p LEFT JOIN scores s USING (seq)
WHERE p.block > $block
GROUP BY ALL ORDER BY p.seq;

-- name: purge_scores
DELETE FROM scores WHERE seq IN (SELECT seq FROM pairs WHERE received_at < $before);
-- name: purge_pairs
DELETE FROM pairs WHERE received_at < $before;

-- name: history
-- Rates over time in one segment (:parts, all of which a pair must have) since :first: every signal's
-- scores of the latest 200,000 pairs in up to 24 equal parts.
WITH scored AS (
    SELECT s.signal, p.received_at AS moment, s.x, s.x0, ntile(24) OVER (PARTITION BY s.signal ORDER BY p.seq) AS part
    FROM scores s JOIN pairs p USING (seq)
    WHERE p.seq >= $first AND p.seq > (SELECT max(seq) FROM pairs) - 200000 AND len(list_filter(map_entries(p.segments), lambda e: list_contains($parts, e.key || '=' || e.value))) = len($parts)
)
SELECT signal, part, max(moment), count(*), avg(x), count(x0), avg(x0) FROM scored GROUP BY ALL ORDER BY signal, part;

-- name: reasons
-- Why scores in one segment were bad: label and how many pairs.
SELECT s.signal, s.label, count(*) AS pairs
FROM scores s JOIN pairs p USING (seq)
WHERE p.seq >= $first AND p.seq > (SELECT max(seq) FROM pairs) - 200000 AND s.x >= 0.5 AND s.label <> ''
  AND len(list_filter(map_entries(p.segments), lambda e: list_contains($parts, e.key || '=' || e.value))) = len($parts)
GROUP BY ALL ORDER BY pairs DESC, s.signal, s.label LIMIT 50;

-- name: alarms
-- Alarms and clears of one segment, newest first.
SELECT time, event, signal, evidence FROM events WHERE segment = $segment ORDER BY time DESC LIMIT 50;
