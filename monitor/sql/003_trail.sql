-- Version 3. Evidence over time, a row per step of a quarter decade (trail.py).
CREATE TABLE trail (time DOUBLE NOT NULL, segment VARCHAR NOT NULL, signal VARCHAR NOT NULL, evidence DOUBLE NOT NULL);
