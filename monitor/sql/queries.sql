-- name: latency
-- Exact quantiles per segment, a column per arm, of the newest :newest pairs since :since. Never
-- approx_quantile: its p99 is off by up to 118 % in segments of 100 to 1,000 rows, which is where this
-- product looks. Quantiles cost 130 ns of CPU a value whichever way they are asked for, hence :newest.
WITH legs AS (
    SELECT unnest(map_entries(segments)) AS entry,
           CASE WHEN baseline.error IS NULL AND baseline.duration IS NOT NULL THEN baseline END AS b,
           CASE WHEN candidate.error IS NULL AND candidate.duration IS NOT NULL AND NOT list_contains(flags, 'cached') THEN candidate END AS c,
           CASE WHEN replay.error IS NULL AND replay.duration IS NOT NULL THEN replay END AS r
    FROM pairs
    WHERE seq > (SELECT max(seq) FROM pairs) - $newest AND received_at >= $since AND NOT list_contains(flags, 'warmup')
)
SELECT entry.key AS dimension, entry.value AS value,
       count(b.duration), quantile_cont(b.duration, [0.5, 0.99]), quantile_cont(b.ttft, [0.5, 0.99]), avg(b.confidence),
       count(c.duration), quantile_cont(c.duration, [0.5, 0.99]), quantile_cont(c.ttft, [0.5, 0.99]), avg(c.confidence),
       count(r.duration), quantile_cont(r.duration, [0.5, 0.99]), quantile_cont(r.ttft, [0.5, 0.99]), avg(r.confidence)
FROM legs GROUP BY ALL;

-- name: members
-- Pairs of the diverged signals with their segments, for `explained_by` and examples.
-- The newest scores first and their pairs then: sorting joined rows of ten million pairs takes gigabytes.
WITH recent AS (
    SELECT seq, signal, x, x0 FROM scores WHERE seq >= $first AND list_contains($signals, signal)
    ORDER BY seq DESC LIMIT $limit
)
SELECT p.seq, p.id, p.segments, r.signal, r.x, r.x0
FROM recent r JOIN pairs p USING (seq) ORDER BY p.seq DESC;

-- name: legs
SELECT seq, segments, legs FROM pairs
WHERE seq >= $first AND NOT list_contains(flags, 'warmup') AND NOT list_contains(flags, 'cached')
ORDER BY seq DESC LIMIT $limit;

-- name: worst_pairs
-- The worst first, then the newest; all else about a pair is read for those few only.
WITH worst AS (
    SELECT s.* FROM scores s JOIN pairs p USING (seq)
    WHERE p.seq >= $first AND ($signal IS NULL OR s.signal = $signal)
      AND len(list_filter($names::VARCHAR[], lambda name, n: p.segments[name] = ($values::VARCHAR[])[n])) = len($names)
    ORDER BY s.x DESC, s.seq DESC LIMIT $limit
)
SELECT p.seq, p.id, p.received_at, p.segments, s.signal, s.x, s.x0, s.label, s.explanation, s.baseline, s.candidate,
       p.texts, p.baseline.duration, p.candidate.duration
FROM worst s JOIN pairs p USING (seq) ORDER BY s.x DESC, p.seq DESC;

-- name: replay_log
-- Everything that the evidence engine needs to go on from a snapshot, in log order.
SELECT p.seq, p.block, p.received_at, p.segments, p.prompt_key, p.session_key, p.flags, p.legs, p.id, p.replay IS NOT NULL,
       list(s.signal ORDER BY s.signal), list(s.x ORDER BY s.signal), list(s.x0 ORDER BY s.signal),
       list(s.baseline ORDER BY s.signal), list(s.candidate ORDER BY s.signal)
FROM pairs p LEFT JOIN scores s ON s.seq = p.seq AND s.signal <> 'label'
WHERE p.block > $block
GROUP BY ALL ORDER BY p.seq;

-- name: labels_due
-- Pairs since the last change of candidate whose two answers are labelled and not counted yet; of several
-- labels the last one holds.
WITH told AS (
    SELECT id, arg_max(baseline_correct, received_at) AS b, arg_max(candidate_correct, received_at) AS c
    FROM labels GROUP BY id
)
SELECT p.seq, p.id, p.segments, p.prompt_key, p.session_key, p.flags, b, c
FROM told JOIN pairs p USING (id) ANTI JOIN labelled ON labelled.seq = p.seq
WHERE p.seq >= $first AND b IS NOT NULL AND c IS NOT NULL ORDER BY p.seq LIMIT $limit;

-- name: labels_log
-- Labels that were counted behind a snapshot, in the order in which they were.
SELECT p.seq, p.id, p.segments, p.prompt_key, p.session_key, p.flags, s.baseline = 0, s.candidate = 0, l.block, l.time
FROM labelled l JOIN pairs p USING (seq) JOIN scores s ON s.seq = l.seq AND s.signal = 'label'
WHERE l.block > $block ORDER BY l.block, l.seq;

-- name: purge_scores
DELETE FROM scores WHERE seq IN (SELECT seq FROM pairs WHERE received_at < $before);
-- name: purge_labelled
DELETE FROM labelled WHERE seq IN (SELECT seq FROM pairs WHERE received_at < $before);
-- name: purge_pairs
DELETE FROM pairs WHERE received_at < $before;

-- name: purge_labels
DELETE FROM labels WHERE received_at < $before;
-- name: purge_texts
UPDATE pairs SET texts = NULL WHERE texts IS NOT NULL AND received_at < $before;
-- name: purge_explanations
UPDATE scores SET explanation = '' WHERE explanation <> '' AND seq IN (SELECT seq FROM pairs WHERE texts IS NOT NULL AND received_at < $before);
-- name: purge_trail
DELETE FROM trail WHERE time < $before;
-- name: purge_events
DELETE FROM events WHERE time < $before;
-- name: purge_erased
-- Marks of who was erased: nothing from before can come any more.
DELETE FROM meta WHERE starts_with(key, 'erased:') AND value::DOUBLE < $before;
-- name: purge_probes
DELETE FROM probes WHERE time < $before;

-- name: subject_pairs
SELECT seq, id, received_at, segments, operation, collector, flags, baseline, candidate, replay, texts
FROM pairs WHERE subject_key = $key ORDER BY seq;
-- name: subject_scores
SELECT signal, x, label, explanation FROM scores WHERE seq = $seq ORDER BY signal;

-- name: trail
-- Evidence over time in one segment since :since, oldest first: at most the newest 400 steps per signal.
SELECT signal, time, evidence FROM trail WHERE segment = $segment AND time >= $since
QUALIFY row_number() OVER (PARTITION BY signal ORDER BY time DESC) <= 400 ORDER BY signal, time;

-- name: trails
-- The same for every segment, the newest 40 steps per row: sparklines.
SELECT segment, signal, time, evidence FROM trail WHERE time >= $since
QUALIFY row_number() OVER (PARTITION BY segment, signal ORDER BY time DESC) <= 40 ORDER BY segment, signal, time;

-- name: outcomes
-- How sure the candidate was of checkable answers in one segment, and whether they turned out right:
-- by agreement with the baseline and by delayed labels, the newest 20,000 pairs.
WITH sure AS (
    SELECT p.seq, p.id, s.candidate AS confidence
    FROM scores s JOIN pairs p USING (seq)
    WHERE s.signal = 'confident_disagreement' AND s.candidate IS NOT NULL AND p.seq >= $first
      AND len(list_filter($names::VARCHAR[], lambda name, n: p.segments[name] = ($values::VARCHAR[])[n])) = len($names)
    ORDER BY p.seq DESC LIMIT 20000
)
SELECT confidence, a.x < 0.5, 'agreement' FROM sure JOIN scores a ON a.seq = sure.seq AND a.signal = 'answer'
UNION ALL
SELECT confidence, l.candidate_correct, 'label' FROM sure JOIN labels l USING (id) WHERE l.candidate_correct IS NOT NULL;

-- name: history
-- Rates over time in one segment ($names and $values, all of which a pair must have) since :first: every signal's
-- scores of the latest 200,000 pairs in up to 24 equal parts.
WITH scored AS (
    SELECT s.signal, p.received_at AS moment, s.x, s.x0, ntile(24) OVER (PARTITION BY s.signal ORDER BY p.seq) AS part
    FROM scores s JOIN pairs p USING (seq)
    WHERE p.seq >= $first AND p.seq > (SELECT max(seq) FROM pairs) - 200000 AND len(list_filter($names::VARCHAR[], lambda name, n: p.segments[name] = ($values::VARCHAR[])[n])) = len($names)
)
SELECT signal, part, max(moment), count(*), avg(x), count(x0), avg(x0) FROM scored GROUP BY ALL ORDER BY signal, part;

-- name: reasons
-- Why scores in one segment were bad: label and how many pairs.
SELECT s.signal, s.label, count(*) AS pairs
FROM scores s JOIN pairs p USING (seq)
WHERE p.seq >= $first AND p.seq > (SELECT max(seq) FROM pairs) - 200000 AND s.x >= 0.5 AND s.label <> ''
  AND len(list_filter($names::VARCHAR[], lambda name, n: p.segments[name] = ($values::VARCHAR[])[n])) = len($names)
GROUP BY ALL ORDER BY pairs DESC, s.signal, s.label LIMIT 50;

-- name: alarms
-- Alarms and clears of one segment, newest first.
SELECT time, event, signal, evidence FROM events WHERE segment = $segment ORDER BY time DESC LIMIT 50;
