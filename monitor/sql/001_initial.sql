-- Version 1. One row per scored pair, one per score; everything else is bookkeeping.
CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

CREATE TABLE pairs (
    seq BIGINT PRIMARY KEY,             -- order of the log; evidence is applied in this order
    block BIGINT NOT NULL,              -- evidence block (at most 256 pairs or one second of event time)
    id VARCHAR NOT NULL,
    received_at DOUBLE NOT NULL,        -- UNIX seconds
    scored_at DOUBLE NOT NULL,
    segments MAP(VARCHAR, VARCHAR) NOT NULL,
    operation VARCHAR NOT NULL,
    collector VARCHAR NOT NULL,
    inclusion DOUBLE NOT NULL,          -- probability with which this exchange was mirrored
    prompt_key VARCHAR NOT NULL,        -- keyed hash, for de-duplication
    session_key VARCHAR,
    subject_key VARCHAR,
    rewrites VARCHAR[],                 -- what the candidate was asked differently
    flags VARCHAR[],                    -- warmup, cached, baseline_degenerate, ...
    legs DOUBLE[],                      -- comparable seconds: latency and ttft, candidate and replay each
    baseline STRUCT(duration DOUBLE, ttft DOUBLE, input_tokens BIGINT, output_tokens BIGINT,
                    finish_reason VARCHAR, model VARCHAR, error VARCHAR, confidence DOUBLE, in_flight BIGINT),
    candidate STRUCT(duration DOUBLE, ttft DOUBLE, input_tokens BIGINT, output_tokens BIGINT,
                    finish_reason VARCHAR, model VARCHAR, error VARCHAR, confidence DOUBLE, in_flight BIGINT),
    replay STRUCT(duration DOUBLE, ttft DOUBLE, input_tokens BIGINT, output_tokens BIGINT,
                    finish_reason VARCHAR, model VARCHAR, error VARCHAR, confidence DOUBLE, in_flight BIGINT),
    texts STRUCT(request VARCHAR, baseline VARCHAR, candidate VARCHAR, replay VARCHAR)  -- NULL when store.text = none
);

CREATE TABLE scores (
    seq BIGINT NOT NULL,                -- pairs.seq
    signal VARCHAR NOT NULL,
    x DOUBLE NOT NULL,                  -- 1 = bad
    x0 DOUBLE,                          -- the same scorer on the replay; NULL without one
    label VARCHAR NOT NULL,
    explanation VARCHAR NOT NULL,
    baseline DOUBLE,
    candidate DOUBLE
);

CREATE TABLE offsets (stream VARCHAR PRIMARY KEY, position VARCHAR NOT NULL);
CREATE TABLE funnel (name VARCHAR PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE capture_counters (stream VARCHAR, name VARCHAR, value BIGINT NOT NULL, PRIMARY KEY (stream, name));
CREATE TABLE snapshots (block BIGINT PRIMARY KEY, taken_at DOUBLE NOT NULL, config_hash VARCHAR NOT NULL, body BLOB NOT NULL);
CREATE TABLE events (time DOUBLE NOT NULL, event VARCHAR NOT NULL, segment VARCHAR NOT NULL, signal VARCHAR NOT NULL, evidence DOUBLE NOT NULL);
CREATE TABLE candidates (seq BIGINT NOT NULL, since DOUBLE NOT NULL, identity VARCHAR NOT NULL, capabilities VARCHAR NOT NULL);
CREATE TABLE labels (id VARCHAR NOT NULL, received_at DOUBLE NOT NULL, source VARCHAR NOT NULL, baseline_correct BOOLEAN, candidate_correct BOOLEAN);
CREATE TABLE audit (time DOUBLE NOT NULL, action VARCHAR NOT NULL, detail VARCHAR NOT NULL);
