-- +goose Up
-- What replicas that do not drive a promotion have counted since its present window of
-- samples began (stamp): one row a replica, replaced again and again, read by the one that
-- drives. written_at is in microseconds since 1970 UTC by the database's clock.
CREATE TABLE promotion_counts (
    route      VARCHAR(64) COLLATE binary NOT NULL,
    replica    VARCHAR(64) COLLATE binary NOT NULL,
    stamp      VARCHAR(64) COLLATE binary NOT NULL,
    counts     MEDIUMTEXT  NOT NULL,
    written_at BIGINT      NOT NULL,
    CONSTRAINT promotion_counts_pk PRIMARY KEY (route, replica),
    CONSTRAINT promotion_counts_json CHECK (json_valid(counts))
);

-- +goose Down
DROP TABLE promotion_counts;
