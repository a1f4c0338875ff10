-- Version 5. Delayed labels that the evidence has counted: their place in the log, which is not their pair's.
CREATE TABLE labelled (block BIGINT NOT NULL, time DOUBLE NOT NULL, seq BIGINT PRIMARY KEY);
