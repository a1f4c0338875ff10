-- Version 2. The candidate's view of an answer that another arm wrote (teacher forcing).
ALTER TABLE pairs ADD COLUMN forced STRUCT(
    arm VARCHAR,                -- who wrote the answer: replay (then there are drops) or baseline
    tokens BIGINT, prefilled BIGINT, top1 DOUBLE, nll DOUBLE, bits_per_byte DOUBLE,
    drop_mean DOUBLE, drop_absolute DOUBLE, drop_largest DOUBLE, drop_position BIGINT);  -- NULL where none was asked for
