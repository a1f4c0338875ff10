-- Version 4. Results of `tailgate probe`, one row per probe and run; texts are what its table shows.
CREATE TABLE probes (
    time DOUBLE NOT NULL,
    pack VARCHAR NOT NULL,
    probe VARCHAR NOT NULL,
    verdict VARCHAR NOT NULL,   -- ok, worse, below range, unclear
    baseline VARCHAR NOT NULL,
    candidate VARCHAR NOT NULL,
    change VARCHAR NOT NULL
);
